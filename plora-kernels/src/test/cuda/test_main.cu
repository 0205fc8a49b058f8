// Runs the tests of the native library: `test [name or all] [shapes] [seed]`.
#include "test.h"

namespace {
struct Named {
    const char *name;
    Test test;
};
const Named TESTS[] = {
    {"frozen_plan", test_frozen_plan},
    {"dropout", test_dropout},
    {"lora_plan", test_lora_plan},
    {"lora_plan_beside", test_lora_plan_beside},
    {"lora", test_lora},
    {"lora_few", test_lora_few},
    {"lora_nan", test_lora_nan},
#ifndef PLORA_EMULATE
    {"frozen", test_frozen},
    {"lora_linear", test_lora_linear},
    {"lora_linear_turns", test_lora_linear_turns},
    {"lora_linear_nan", test_lora_linear_nan},
#endif
    {"pointwise", test_pointwise},
    {"attention", test_attention},
    {"optimizer", test_optimizer},
    {"cross_entropy", test_cross_entropy},
};
}  // namespace

int main(int count, char **arguments) {
    std::string name = count > 1 ? arguments[1] : "all";
    int shapes = count > 2 ? atoi(arguments[2]) : 200;
    uint64_t seed = count > 3 ? strtoull(arguments[3], nullptr, 10) : 1;
    int ran = 0;
    for (const Named &named : TESTS) {
        if (name == "all" || name == named.name) {
            Random random(seed);
            named.test(random, shapes);
            printf("{\"test\": \"%s\", \"shapes\": %d, \"seed\": %llu, \"passed\": true}\n", named.name, shapes,
                   (unsigned long long)seed);
            fflush(stdout);
            ran++;
        }
    }
    REQUIRE(ran > 0, "no test is named %s", name.c_str());
}
