package io.plora.space;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TargetModuleTest {

    @ParameterizedTest
    @EnumSource
    void everyModuleIsFoundByItsName(TargetModule module) {
        assertThat(TargetModule.of(module.moduleName())).isEqualTo(module);
        assertThat(module.path()).endsWith("." + module.moduleName());
    }

    @Test
    void unknownModuleIsNamedWithThoseThatThereAre() {
        assertThatThrownBy(() -> TargetModule.of("qproj"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "Unknown target module (qproj). Maybe use one of q_proj, k_proj, v_proj, o_proj, gate_proj, "
                                + "up_proj, down_proj.");
    }
}
