#include "compute/graphs.h"

#ifdef SDGEN_CUDA_GRAPHS

// Before CUDAGraph.h: the class has members that are there only where CUDA_VERSION is known to be 12.4 or
// later, and libtorch's own code must not find less memory than it takes.
#include <cuda.h>
#if CUDA_VERSION < 12040
#error "CUDA graphs ask for CUDA headers of version 12.4 or later"
#endif

#include <ATen/cuda/CUDAGraph.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/cuda/CUDACachingAllocator.h>

namespace sdgen {
namespace {

// What is given to `later` from now on begins after what `earlier` was given until now.
void follow(const c10::Stream& later, const c10::Stream& earlier) {
  c10::Event event(later.device_type());
  event.record(earlier);
  event.block(later);
}

class CudaGraphStream : public GraphStream {
 public:
  explicit CudaGraphStream(const at::Device& device)
      : cuda_(device.type()), side_(cuda_.getStreamFromGlobalPool(device)) {}

  Tensors warm_up(const std::function<Tensors()>& work) override { return beside(work); }

  std::function<Tensors()> record(const std::function<Tensors()>& work) override {
    // Shared by all recordings there are: they are replayed one after the other, and results are copied out.
    // Once the last is gone libtorch refuses another the same pool.
    std::shared_ptr<const c10::MempoolId_t> pool = pool_.lock();
    if (!pool) pool_ = pool = std::make_shared<const c10::MempoolId_t>(at::cuda::graph_pool_handle());
    const auto graph = std::make_shared<at::cuda::CUDAGraph>();
    const Tensors results = beside([&] { return capture(*graph, *pool, work); });
    return [pool, graph, results] {
      graph->replay();  // on the current stream
      return results;
    };
  }

 private:
  // work() on the side stream (the default one cannot be recorded), in order with the current one.
  Tensors beside(const std::function<Tensors()>& work) const {
    const c10::Stream main = cuda_.getStream(side_.device());
    follow(side_, main);
    Tensors results;
    try {
      const c10::StreamGuard guard(side_);
      results = work();
    } catch (...) {
      follow(main, side_);  // what side_ still reads is not overwritten
      throw;
    }
    follow(main, side_);
    return results;
  }

  Tensors capture(at::cuda::CUDAGraph& graph, const c10::MempoolId_t& pool,
                  const std::function<Tensors()>& work) const {
    // Other threads of the process may allocate meanwhile.
    graph.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
    try {
      Tensors results = work();
      graph.capture_end();
      return results;
    } catch (...) {
      abandon(graph, pool);
      throw;
    }
  }

  // Ends a recording that failed. The stream must be told; the allocator is not where the stream complains.
  void abandon(at::cuda::CUDAGraph& graph, const c10::MempoolId_t& pool) const noexcept {
    try {
      graph.capture_end();
    } catch (...) {
      try {
        c10::cuda::CUDACachingAllocator::endAllocateToPool(side_.device_index(), pool);
        c10::cuda::CUDACachingAllocator::releasePool(side_.device_index(), pool);
      } catch (...) {  // it was told before
      }
    }
  }

  c10::impl::VirtualGuardImpl cuda_;
  c10::Stream side_;
  std::weak_ptr<const c10::MempoolId_t> pool_;
};

}  // namespace

std::unique_ptr<GraphStream> open_graph_stream(const Compute& compute) {
  if (!compute.device.is_cuda()) return nullptr;
  return std::make_unique<CudaGraphStream>(compute.device);
}

}  // namespace sdgen

#else

namespace sdgen {

std::unique_ptr<GraphStream> open_graph_stream(const Compute&) {
  return nullptr;
}

}  // namespace sdgen

#endif
