// How failures travel: a code up the stack, a message for the calling thread.
#pragma once
#include "plora.h"

namespace plora {

// Keeps a printf-style message for this thread and returns the code.
int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace plora

#define PLORA_REQUIRE(condition, ...)                                     \
    do {                                                                  \
        if (!(condition)) return plora::fail(PLORA_INVALID, __VA_ARGS__); \
    } while (0)

#define PLORA_TRY(call)                      \
    do {                                     \
        int status_ = (call);                \
        if (status_ != PLORA_OK) return status_; \
    } while (0)
