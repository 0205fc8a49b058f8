// Work of a stream recorded once and done again as one piece: CUDA graphs; and events, which tell how long work took.
//
// Recorded on a stream of its own, which does not wait for others: what else happens on the device meanwhile is not in the way.
#include "device.cuh"

int plora_record_begin(void **stream) {
    cudaStream_t made;
    PLORA_CHECK(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking));
    cudaError_t error = cudaStreamBeginCapture(made, cudaStreamCaptureModeThreadLocal);
    if (error != cudaSuccess) cudaStreamDestroy(made);
    PLORA_CHECK(error);
    *stream = made;
    return PLORA_OK;
}

int plora_record_end(void *stream, void **program, int32_t *operations) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t replay = nullptr;
    size_t nodes = 0;
    cudaError_t error = cudaStreamEndCapture((cudaStream_t)stream, &graph);
    if (error == cudaSuccess && program != nullptr) {
        error = cudaGraphGetNodes(graph, nullptr, &nodes);
        if (error == cudaSuccess) error = cudaGraphInstantiate(&replay, graph, 0);
    }
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaStreamDestroy((cudaStream_t)stream);
    if (program == nullptr) return PLORA_OK;  // whatever was recorded is discarded
    PLORA_CHECK(error);
    *program = replay;
    *operations = (int32_t)nodes;
    return PLORA_OK;
}

int plora_program_launch(void *program, void *stream) {
    PLORA_CHECK(cudaGraphLaunch((cudaGraphExec_t)program, (cudaStream_t)stream));
    return PLORA_OK;
}

int plora_program_destroy(void *program) {
    PLORA_CHECK(cudaGraphExecDestroy((cudaGraphExec_t)program));
    return PLORA_OK;
}

int plora_event_create(void **event) {
    PLORA_CHECK(cudaEventCreate((cudaEvent_t *)event));
    return PLORA_OK;
}

int plora_event_record(void *event, void *stream) {
    PLORA_CHECK(cudaEventRecord((cudaEvent_t)event, (cudaStream_t)stream));
    return PLORA_OK;
}

int plora_event_wait(void *event) {
    PLORA_CHECK(cudaEventSynchronize((cudaEvent_t)event));
    return PLORA_OK;
}

int plora_event_elapsed(void *start, void *end, float *milliseconds) {
    PLORA_CHECK(cudaEventSynchronize((cudaEvent_t)end));
    PLORA_CHECK(cudaEventElapsedTime(milliseconds, (cudaEvent_t)start, (cudaEvent_t)end));
    return PLORA_OK;
}

int plora_event_destroy(void *event) {
    PLORA_CHECK(cudaEventDestroy((cudaEvent_t)event));
    return PLORA_OK;
}
