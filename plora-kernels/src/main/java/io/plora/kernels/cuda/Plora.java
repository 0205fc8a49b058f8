package io.plora.kernels.cuda;

import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.bytedeco.javacpp.annotation.Cast;
import org.bytedeco.javacpp.annotation.MemberGetter;
import org.bytedeco.javacpp.annotation.MemberSetter;
import org.bytedeco.javacpp.annotation.Name;
import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.jspecify.annotations.Nullable;

/** The functions and structures of {@code plora.h}, which says what they mean. Device memory and streams are addresses. */
@Properties(
        @Platform(
                value = {"linux-x86_64", "linux-arm64"},
                include = "plora.h",
                link = "ploracuda",
                library = "jniploracuda"))
final class Plora {
    private Plora() {}

    @Name("plora_device")
    static final class Device extends Pointer {
        Device() {
            allocate();
        }

        private native void allocate();

        /** Describes a device that is not there, for plans. */
        Device(int computeCapability, int multiprocessors, int sharedMemory) {
            this();
            computeCapability(computeCapability);
            multiprocessors(multiprocessors);
            sharedMemory(sharedMemory);
        }

        @MemberSetter
        @Name("compute_capability")
        private native void computeCapability(int capability);

        @MemberSetter
        private native void multiprocessors(int count);

        @MemberSetter
        @Name("shared_memory")
        private native void sharedMemory(int bytes);
    }

    @Name("plora_heads")
    static final class Heads extends Pointer {
        Heads() {
            allocate();
        }

        private native void allocate();

        @MemberSetter
        native void heads(int heads);

        @MemberSetter
        @Name("kv_heads")
        native void kvHeads(int kvHeads);

        @MemberSetter
        @Name("head_size")
        native void headSize(int headSize);
    }

    @Name("plora_term")
    static final class Terms extends Pointer {
        Terms(long count) {
            allocateArray(count);
        }

        private native void allocateArray(long count);

        @MemberSetter
        native void a(@Cast("const void*") long address);

        @MemberSetter
        native void b(@Cast("const void*") long address);

        @MemberSetter
        @Name("gradient_a")
        native void gradientA(@Cast("float*") long address);

        @MemberSetter
        @Name("gradient_b")
        native void gradientB(@Cast("float*") long address);

        @MemberSetter
        native void rank(int rank);

        @MemberSetter
        @Name("b_stride")
        native void bStride(int elements);

        @MemberSetter
        native void scale(float scale);

        @MemberSetter
        @Name("drop_threshold")
        native void dropThreshold(@Cast("uint32_t") int threshold);

        @MemberSetter
        @Name("keep_scale")
        native void keepScale(float scale);

        @MemberSetter
        native void module(int module);
    }

    @Name("plora_lora_shape")
    static final class LoraShape extends Pointer {
        LoraShape() {
            allocate();
        }

        private native void allocate();

        @MemberSetter
        native void adapters(int count);

        @MemberSetter
        native void parts(int count);

        @MemberSetter
        native void inputs(int size);

        @MemberSetter
        native void outputs(int size);

        @MemberSetter
        @Name("adapter_starts")
        native void adapterStarts(@Cast("const int32_t*") IntPointer starts);

        @MemberSetter
        @Name("part_from")
        native void partFrom(@Cast("const int32_t*") IntPointer columns);

        @MemberSetter
        @Name("part_to")
        native void partTo(@Cast("const int32_t*") IntPointer columns);

        @MemberSetter
        native void ranks(@Cast("const int32_t*") IntPointer ranks);

        @MemberSetter
        native void drops(@Cast("const int32_t*") IntPointer drops);

        @MemberSetter
        native void overwrites(@Cast("const int32_t*") IntPointer overwrites);
    }

    @Name("plora_lora_plan")
    static final class LoraPlan extends Pointer {
        LoraPlan() {
            allocate();
        }

        private native void allocate();

        @MemberGetter
        native int tiles();

        @MemberGetter
        @Name("low_rank_elements")
        native long lowRankElements();

        @MemberGetter
        @Name("workspace_bytes")
        native long workspaceBytes();

        @MemberGetter
        native int linear();

        @MemberGetter
        @Name("linear_backward")
        native int linearBackward();
    }

    /** Only ever copied whole. */
    @Name("plora_tile")
    static final class Tiles extends Pointer {
        Tiles(long count) {
            allocateArray(count);
        }

        private native void allocateArray(long count);
    }

    /** Only ever copied whole. */
    @Name("plora_attention_tile")
    static final class AttentionTiles extends Pointer {
        AttentionTiles(long count) {
            allocateArray(count);
        }

        private native void allocateArray(long count);
    }

    @Name("plora_matrix")
    static final class Matrices extends Pointer {
        Matrices(long count) {
            allocateArray(count);
        }

        private native void allocateArray(long count);

        @MemberSetter
        native void parameters(@Cast("float*") long address);

        @MemberSetter
        native void gradients(@Cast("float*") long address);

        @MemberSetter
        @Name("first_moment")
        native void firstMoment(@Cast("float*") long address);

        @MemberSetter
        @Name("second_moment")
        native void secondMoment(@Cast("float*") long address);

        @MemberSetter
        native void copy(@Cast("void*") long address);

        @MemberSetter
        native void rows(int rows);

        @MemberSetter
        native void columns(int columns);

        @MemberSetter
        @Name("copy_stride")
        native void copyStride(int elements);

        @MemberSetter
        native void adapter(int adapter);

        @MemberSetter
        @Name("is_b")
        native void isB(int isB);
    }

    /** Only ever copied whole. */
    @Name("plora_span")
    static final class Spans extends Pointer {
        Spans(long count) {
            allocateArray(count);
        }

        private native void allocateArray(long count);
    }

    @Name("plora_step")
    static final class Steps extends Pointer {
        Steps(long count) {
            allocateArray(count);
        }

        private native void allocateArray(long count);

        @MemberSetter
        native void active(int active);

        @MemberSetter
        native void rule(int rule);

        @MemberSetter
        @Name("learning_rate_a")
        native void learningRateA(float rate);

        @MemberSetter
        @Name("learning_rate_b")
        native void learningRateB(float rate);

        @MemberSetter
        @Name("weight_decay")
        native void weightDecay(float decay);

        @MemberSetter
        @Name("max_norm")
        native void maxNorm(float norm);

        @MemberSetter
        @Name("first_correction")
        native void firstCorrection(float correction);

        @MemberSetter
        @Name("second_correction")
        native void secondCorrection(float correction);
    }

    @Name("plora_message")
    static native String message();

    @Name("plora_device_query")
    static native int deviceQuery(Device device);

    @Name("plora_use_device")
    static native int useDevice(int device);

    @Name("plora_zero")
    static native int zero(@Cast("void*") long to, long bytes, @Cast("void*") long stream);

    @Name("plora_copy")
    static native int copy(
            @Cast("void*") long to, @Cast("const void*") long from, long bytes, @Cast("void*") long stream);

    @Name("plora_synchronize")
    static native int synchronize(@Cast("void*") long stream);

    @Name("plora_record_begin")
    static native int recordBegin(@Cast("void**") LongPointer stream);

    @Name("plora_record_end")
    static native int recordEnd(
            @Cast("void*") long stream,
            @Nullable @Cast("void**") LongPointer program,
            @Nullable @Cast("int32_t*") IntPointer operations);

    @Name("plora_program_launch")
    static native int launchProgram(@Cast("void*") long program, @Cast("void*") long stream);

    @Name("plora_program_destroy")
    static native int destroyProgram(@Cast("void*") long program);

    @Name("plora_event_create")
    static native int createEvent(@Cast("void**") LongPointer event);

    @Name("plora_event_record")
    static native int recordEvent(@Cast("void*") long event, @Cast("void*") long stream);

    @Name("plora_event_wait")
    static native int awaitEvent(@Cast("void*") long event);

    @Name("plora_event_elapsed")
    static native int eventElapsed(@Cast("void*") long start, @Cast("void*") long end, FloatPointer milliseconds);

    @Name("plora_event_destroy")
    static native int destroyEvent(@Cast("void*") long event);

    @Name("plora_uniform")
    static native int uniform(@Cast("float*") long to, long size, long seed, double bound, @Cast("void*") long stream);

    @Name("plora_embed")
    static native int embed(
            @Cast("const void*") long table,
            @Cast("const int32_t*") long tokens,
            @Cast("void*") long y,
            int rows,
            int hidden,
            @Cast("void*") long stream);

    @Name("plora_rms_norm")
    static native int rmsNorm(
            @Cast("const void*") long x,
            @Cast("const void*") long weight,
            float epsilon,
            @Cast("void*") long y,
            @Cast("float*") long inverseRms,
            int rows,
            int hidden,
            @Cast("void*") long stream);

    @Name("plora_rms_norm_backward")
    static native int rmsNormBackward(
            @Cast("const void*") long x,
            @Cast("const void*") long weight,
            @Cast("const float*") long inverseRms,
            @Cast("const void*") long dY,
            @Cast("void*") long dX,
            int rows,
            int hidden,
            @Cast("void*") long stream);

    @Name("plora_swiglu")
    static native int swiGlu(
            @Cast("const void*") long gateUp,
            @Cast("void*") long y,
            int rows,
            int features,
            @Cast("void*") long stream);

    @Name("plora_swiglu_backward")
    static native int swiGluBackward(
            @Cast("const void*") long gateUp,
            @Cast("const void*") long dY,
            @Cast("void*") long dGateUp,
            int rows,
            int features,
            @Cast("void*") long stream);

    @Name("plora_rotary")
    static native int rotary(
            Heads heads,
            @Cast("const float*") long table,
            @Cast("const int32_t*") long positions,
            @Cast("void*") long qkv,
            int rows,
            int inverse,
            @Cast("void*") long stream);

    @Name("plora_lora_make_plan")
    static native int makeLoraPlan(LoraShape shape, Device device, LoraPlan plan, @Nullable Tiles tiles, int capacity);

    @Name("plora_lora_shrink")
    static native int loraShrink(
            LoraPlan plan,
            @Cast("const plora_tile*") long tiles,
            @Cast("const plora_term*") long terms,
            @Cast("const int64_t*") long dropoutKeys,
            @Cast("const void*") long x,
            @Cast("void*") long lowRank,
            @Cast("void*") long workspace,
            @Cast("void*") long stream);

    @Name("plora_lora_expand")
    static native int loraExpand(
            LoraPlan plan,
            @Cast("const plora_tile*") long tiles,
            @Cast("const plora_term*") long terms,
            @Cast("const void*") long lowRank,
            @Cast("void*") long y,
            @Cast("const void*") long add,
            @Cast("const void*") long bias,
            @Cast("void*") long stream);

    @Name("plora_lora_backward")
    static native int loraBackward(
            LoraPlan plan,
            @Cast("const plora_tile*") long tiles,
            @Cast("const plora_term*") long terms,
            @Cast("const int64_t*") long dropoutKeys,
            @Cast("const void*") long x,
            @Cast("const void*") long lowRank,
            @Cast("const void*") long dY,
            @Cast("void*") long dX,
            @Cast("void*") long workspace,
            @Cast("void*") long stream);

    @Name("plora_lora_linear")
    static native int loraLinear(
            LoraPlan plan,
            @Cast("const plora_tile*") long tiles,
            @Cast("const plora_term*") long terms,
            @Cast("const int64_t*") long dropoutKeys,
            @Cast("const void*") long x,
            @Cast("const void*") long w,
            @Cast("void*") long y,
            @Cast("const void*") long add,
            @Cast("const void*") long bias,
            @Cast("void*") long lowRank,
            @Cast("void*") long workspace,
            @Cast("void*") long stream);

    @Name("plora_lora_linear_backward")
    static native int loraLinearBackward(
            LoraPlan plan,
            @Cast("const plora_tile*") long tiles,
            @Cast("const plora_term*") long terms,
            @Cast("const void*") long x,
            @Cast("const void*") long dY,
            @Cast("const void*") long w,
            @Cast("void*") long dX,
            @Cast("const void*") long lowRank,
            @Cast("void*") long workspace,
            @Cast("void*") long stream);

    @Name("plora_blas")
    @org.bytedeco.javacpp.annotation.Opaque
    static final class Blas extends Pointer {}

    @Name("plora_blas_create")
    static native int createBlas(
            @Nullable String library,
            @Cast("void*") long workspace,
            long workspaceBytes,
            @Cast("plora_blas**") PointerPointer<Blas> blas);

    @Name("plora_blas_destroy")
    static native int destroyBlas(Blas blas);

    @Name("plora_blas_version")
    static native int blasVersion(Blas blas);

    @Name("plora_linear")
    static native int linear(
            Blas blas,
            @Cast("const void*") long x,
            @Cast("const void*") long w,
            @Cast("void*") long y,
            int rows,
            int inputs,
            int outputs,
            float beta,
            @Cast("void*") long stream);

    @Name("plora_linear_backward")
    static native int linearBackward(
            Blas blas,
            @Cast("const void*") long dY,
            @Cast("const void*") long w,
            @Cast("void*") long dX,
            int rows,
            int inputs,
            int outputs,
            float beta,
            @Cast("void*") long stream);

    @Name("plora_logits")
    static native int logits(
            Blas blas,
            @Cast("const void*") long x,
            @Cast("const void*") long w,
            @Cast("float*") long y,
            int rows,
            int inputs,
            int outputs,
            @Cast("void*") long stream);

    @Name("plora_cross_entropy_workspace")
    static native long crossEntropyWorkspace(int chunkRows, int hidden, int vocabulary);

    @Name("plora_cross_entropy")
    static native int crossEntropy(
            Blas blas,
            @Cast("const void*") long x,
            @Cast("const void*") long weight,
            @Cast("const int32_t*") long targetRows,
            int targetCount,
            @Cast("const int32_t*") long targets,
            @Cast("const float*") long lossWeights,
            int rows,
            int hidden,
            int vocabulary,
            int chunkRows,
            @Cast("float*") long losses,
            @Cast("void*") long dX,
            @Cast("void*") long workspace,
            @Cast("void*") long stream);

    @Name("plora_attention_plan")
    static native int attentionPlan(
            @Cast("const int32_t*") IntPointer sequenceStarts,
            int sequences,
            @Nullable AttentionTiles tiles,
            int capacity,
            @Cast("int32_t*") IntPointer count);

    @Name("plora_attention")
    static native int attention(
            Heads heads,
            @Cast("const plora_attention_tile*") long tiles,
            int count,
            @Cast("const void*") long qkv,
            @Cast("void*") long y,
            @Cast("float*") long logSumExp,
            @Cast("void*") long stream);

    @Name("plora_attention_workspace")
    static native long attentionWorkspace(Heads heads, int count, int rows);

    @Name("plora_attention_backward")
    static native int attentionBackward(
            Heads heads,
            @Cast("const plora_attention_tile*") long tiles,
            int count,
            int rows,
            @Cast("const void*") long qkv,
            @Cast("const void*") long y,
            @Cast("const float*") long logSumExp,
            @Cast("const void*") long dY,
            @Cast("void*") long dQkv,
            @Cast("void*") long workspace,
            @Cast("void*") long stream);

    @Name("plora_optimizer_plan")
    static native int optimizerPlan(
            Matrices matrices,
            int count,
            int adapters,
            @Nullable Spans spans,
            int capacity,
            @Cast("int32_t*") IntPointer adapterSpans);

    @Name("plora_copy_parameters")
    static native int copyParameters(
            @Cast("const plora_matrix*") long matrices,
            @Cast("const plora_span*") long spans,
            int spanCount,
            @Cast("void*") long stream);

    @Name("plora_gradient_norms")
    static native int gradientNorms(
            @Cast("const plora_matrix*") long matrices,
            @Cast("const plora_span*") long spans,
            int spanCount,
            @Cast("const int32_t*") long adapterSpans,
            int adapters,
            @Cast("const plora_step*") long steps,
            @Cast("double*") long norms,
            @Cast("void*") long workspace,
            @Cast("void*") long stream);

    @Name("plora_optimize")
    static native int optimize(
            @Cast("const plora_matrix*") long matrices,
            @Cast("const plora_span*") long spans,
            int spanCount,
            @Cast("const plora_step*") long steps,
            @Cast("const void*") long workspace,
            @Cast("void*") long stream);
}
