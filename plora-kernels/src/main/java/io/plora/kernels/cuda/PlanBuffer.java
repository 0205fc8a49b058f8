package io.plora.kernels.cuda;

/** Host memory in which plans are laid out, kept from one to the next: to ask how much a plan needs is to make it twice. */
final class PlanBuffer {
    private int capacity = 4096;
    private Plora.Tiles tiles = new Plora.Tiles(capacity);

    /** The plan, whose tiles are in {@link #tiles} until the next is made. */
    Plora.LoraPlan make(Plora.LoraShape shape, Plora.Device device) {
        Plora.LoraPlan plan = new Plora.LoraPlan();
        int status = Plora.makeLoraPlan(shape, device, plan, tiles, capacity);
        if (plan.tiles() > capacity) {
            grow(plan.tiles());
            status = Plora.makeLoraPlan(shape, device, plan, tiles, capacity);
        }
        CudaLibrary.check(status);
        return plan;
    }

    private void grow(int needed) {
        Plora.Tiles larger = new Plora.Tiles(2L * needed);
        tiles.close();
        tiles = larger;
        capacity = 2 * needed;
    }

    Plora.Tiles tiles() {
        return tiles;
    }
}
