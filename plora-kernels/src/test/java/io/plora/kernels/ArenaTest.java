package io.plora.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ArenaTest {
    private static final long BASE = 0x7f00_0000_0000L; // as a device's addresses look; nothing lies there

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void randomTensorsNeverOverlapAndLeaveOneHoleWhenAllAreReleased(long seed) {
        Random random = new Random(seed);
        Arena arena = new Arena(this, BASE, 64 << 20);
        List<Tensor> live = new ArrayList<>();
        for (int i = 0; i < 2000; i++) {
            long elements = random.nextInt(10) == 0 ? random.nextInt(1 << 20) : random.nextInt(10_000);
            if (random.nextInt(100) < 55 && elements * 4 + Arena.ALIGNMENT <= arena.largestHole()) {
                live.add(arena.allocate(DType.F32, elements));
            } else if (!live.isEmpty()) {
                arena.release(live.remove(random.nextInt(live.size())));
            }
            requireDisjointAndCounted(arena, live);
        }
        live.forEach(arena::release);
        assertThat(arena.largestHole()).isEqualTo(arena.freeBytes()).isEqualTo(64 << 20);
    }

    private static void requireDisjointAndCounted(Arena arena, List<Tensor> live) {
        List<Tensor> sorted =
                live.stream().sorted(Comparator.comparingLong(Tensor::address)).toList();
        long end = BASE;
        long used = 0;
        for (Tensor tensor : sorted) {
            long bytes = Arena.bytesOf(tensor.type(), tensor.shape());
            assertThat(tensor.address()).isGreaterThanOrEqualTo(end);
            assertThat(tensor.address() % Arena.ALIGNMENT).isZero();
            end = tensor.address() + bytes;
            used += bytes;
        }
        assertThat(end).isLessThanOrEqualTo(BASE + arena.bytes());
        assertThat(arena.usedBytes()).isEqualTo(used);
        assertThat(arena.freeBytes()).isEqualTo(arena.bytes() - used);
    }

    @Test
    void takesTheSmallestHoleThatFits() {
        Arena arena = new Arena(this, BASE, 10 * 256);
        Tensor three = arena.allocate(DType.F32, 3 * 64);
        arena.allocate(DType.F32, 64);
        Tensor two = arena.allocate(DType.F32, 2 * 64);
        arena.allocate(DType.F32, 64);
        arena.release(three);
        arena.release(two);

        Tensor fits = arena.allocate(DType.BF16, 2 * 128);

        assertThat(fits.address()).isEqualTo(two.address());
    }

    @Test
    void aReleasedTensorJoinsTheHolesOnBothSides() {
        Arena arena = new Arena(this, BASE, 3 * 256);
        List<Tensor> tensors =
                List.of(arena.allocate(DType.F32, 64), arena.allocate(DType.F32, 64), arena.allocate(DType.F32, 64));
        arena.release(tensors.get(0));
        arena.release(tensors.get(2));
        assertThat(arena.largestHole()).isEqualTo(256);
        arena.release(tensors.get(1));
        assertThat(arena.largestHole()).isEqualTo(3 * 256);
    }

    @Test
    void startsAtTheFirstAlignedAddress() {
        Arena arena = new Arena(this, BASE + 1, 1024);
        assertThat(arena.bytes()).isEqualTo(768);
        assertThat(arena.allocate(DType.F32, 1).address()).isEqualTo(BASE + 256);
    }

    @Test
    void tensorsWithoutElementsHaveAddressesOfTheirOwn() {
        Arena arena = new Arena(this, BASE, 1024);
        assertThat(arena.allocate(DType.F32, 0).address())
                .isNotEqualTo(arena.allocate(DType.F32, 0).address());
        assertThat(arena.usedBytes()).isEqualTo(512);
    }

    @Test
    void remembersTheMostThatWasUsed() {
        Arena arena = new Arena(this, BASE, 4096);
        arena.release(arena.allocate(DType.F32, 512));
        arena.allocate(DType.F32, 64);
        assertThat(arena.peakBytes()).isEqualTo(2048);
        arena.restartPeak();
        assertThat(arena.peakBytes()).isEqualTo(256);
    }

    @Test
    void saysWhatIsFreeWhenATensorDoesNotFit() {
        Arena arena = new Arena(this, BASE, 1024);
        Tensor first = arena.allocate(DType.F32, 64);
        arena.allocate(DType.F32, 64);
        arena.release(first);
        assertThatExceptionOfType(OutOfMemoryError.class)
                .isThrownBy(() -> arena.allocate(DType.BF16, 3, 100))
                .withMessage(
                        "A tensor of shape [3, 100] and type (BF16) needs (768) bytes of an arena of (1024), of which (768) are free, (512) in one piece.");
    }

    @Test
    void aFailedAllocationTakesNothing() {
        Arena arena = new Arena(this, BASE, 1024);
        assertThatExceptionOfType(OutOfMemoryError.class).isThrownBy(() -> arena.allocate(DType.F32, 1000));
        assertThat(arena.allocate(DType.F32, 256).address()).isEqualTo(BASE);
    }

    @Test
    void refusesToReleaseWhatIsNotItsOwn() {
        Arena arena = new Arena(this, BASE, 1024);
        Tensor foreign = new Arena(this, BASE, 1024).allocate(DType.F32, 64);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> arena.release(foreign))
                .withMessageContaining("is not of this arena");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> arena.release(Tensor.onHost(DType.F32, 64)))
                .withMessageContaining("is not of this arena");
    }

    @Test
    void refusesToReleaseAPart() {
        Arena arena = new Arena(this, BASE, 4096);
        Tensor tensor = arena.allocate(DType.F32, 2, 64);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> arena.release(tensor.rows(0, 1)))
                .withMessageContaining("Maybe release the whole tensor");
        assertThatIllegalArgumentException().isThrownBy(() -> arena.release(tensor.rows(1, 2)));
    }

    @Test
    void refusesToReleaseTwiceEvenIfTheMemoryIsUsedAgain() {
        Arena arena = new Arena(this, BASE, 1024);
        Tensor tensor = arena.allocate(DType.F32, 64);
        arena.release(tensor);
        Tensor next = arena.allocate(DType.F32, 64);
        assertThat(next.address()).isEqualTo(tensor.address());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> arena.release(tensor))
                .withMessageContaining("has been released already");
    }

    @Test
    void needsRoomForOneTensor() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Arena(this, BASE + 1, 300))
                .withMessage("Memory of (300) bytes at (139637976727553) is too small for an arena.");
    }
}
