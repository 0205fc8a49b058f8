package io.plora.examples.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class BackendCheckTest {

    @Test
    void theBackendOfTheseTestsComputes() {
        assertThat(new BackendCheck().call()).isZero();
    }
}
