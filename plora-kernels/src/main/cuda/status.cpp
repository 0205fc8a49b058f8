#include "status.h"

#include <stdarg.h>
#include <stdio.h>

namespace {
thread_local char message[512] = "";
}

int plora::fail(int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    return code;
}

const char *plora_message(void) { return message; }
