package io.plora.examples.gpu;

import java.util.SortedSet;
import java.util.stream.Collectors;

/**
 * C and assembler text (System V x86-64) of a library that answers for another: each function jumps through a table to the
 * function of the same name in the other library. The table starts out pointing to one common entry, which on the first call of
 * any function opens the other library and fills the table, with the arguments' registers kept meanwhile.
 */
final class ForwarderSource {
    private static final String TEXT = """
            #include <dlfcn.h>
            #include <stdio.h>
            #include <stdlib.h>

            #define COUNT %1$d
            static const char *const names[COUNT] = {%2$s};
            __attribute__((visibility("hidden"))) extern void forward_first(void);
            __attribute__((visibility("hidden"))) extern void forward_missing(void);
            __attribute__((visibility("hidden"))) void *forward_table[COUNT] = {[0 ... COUNT - 1] = forward_first};

            __attribute__((visibility("hidden"))) void forward_fill(void) {
              void *library = dlopen("%3$s", RTLD_NOW | RTLD_LOCAL);
              if (!library) {
                fprintf(stderr, "%4$s forwards to %3$s, which cannot be loaded: %%s\\n", dlerror());
                abort();
              }
              for (int i = 0; i < COUNT; i++) {
                void *function = dlsym(library, names[i]);
                forward_table[i] = function ? function : (void *)forward_missing;
              }
            }

            __attribute__((visibility("hidden"))) void forward_report(int index) {
              fprintf(stderr, "%4$s forwards to %3$s, which has no function %%s\\n", names[index]);
              abort();
            }

            __asm__(
                ".text\\n"
                "forward_first:\\n" // r11 holds the function's index
                "  push %%rdi; push %%rsi; push %%rdx; push %%rcx; push %%r8; push %%r9; push %%r11\\n"
                "  sub $128, %%rsp\\n"
                "  movups %%xmm0, (%%rsp); movups %%xmm1, 16(%%rsp); movups %%xmm2, 32(%%rsp); movups %%xmm3, 48(%%rsp)\\n"
                "  movups %%xmm4, 64(%%rsp); movups %%xmm5, 80(%%rsp); movups %%xmm6, 96(%%rsp); movups %%xmm7, 112(%%rsp)\\n"
                "  call forward_fill\\n"
                "  movups (%%rsp), %%xmm0; movups 16(%%rsp), %%xmm1; movups 32(%%rsp), %%xmm2; movups 48(%%rsp), %%xmm3\\n"
                "  movups 64(%%rsp), %%xmm4; movups 80(%%rsp), %%xmm5; movups 96(%%rsp), %%xmm6; movups 112(%%rsp), %%xmm7\\n"
                "  add $128, %%rsp\\n"
                "  pop %%r11; pop %%r9; pop %%r8; pop %%rcx; pop %%rdx; pop %%rsi; pop %%rdi\\n"
                "  lea forward_table(%%rip), %%rax\\n"
                "  jmp *(%%rax,%%r11,8)\\n"
                "forward_missing:\\n"
                "  mov %%r11d, %%edi\\n"
                "  and $-16, %%rsp\\n"
                "  call forward_report\\n"
            %5$s);
            """;

    private static final String FUNCTION = """
                ".globl %1$s; .type %1$s, @function\\n"
                "%1$s: mov $%2$d, %%r11d; jmp *forward_table+8*%2$d(%%rip)\\n"
            """;

    private ForwarderSource() {}

    /**
     * Source of one library.
     *
     * @param functions their names; at least one
     * @param library the file name that callers know
     * @param target the library that is to be called
     */
    static String of(SortedSet<String> functions, String library, String target) {
        String names = functions.stream().map("\"%s\""::formatted).collect(Collectors.joining(", "));
        StringBuilder jumps = new StringBuilder();
        int index = 0;
        for (String function : functions) {
            jumps.append(FUNCTION.formatted(function, index++));
        }
        return TEXT.formatted(
                functions.size(), names, target, library, jumps.toString().stripTrailing());
    }

    /** The linker's version script: callers name each function together with the library, as its version. */
    static String versions(SortedSet<String> functions, String library) {
        return "%s { global: %s; local: *; };%n".formatted(library, String.join("; ", functions));
    }
}
