// The one file that knows XLA: handlers that check what they are given and call the chosen kernels.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <new>
#include <string>
#include <utility>

#include "checks.h"
#include "huge_pages.h"
#include "kernels.h"
#include "pool_workers.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace convista {
namespace {

using Floats = ffi::Buffer<ffi::F32>;
using FloatsOut = ffi::Result<Floats>;
using Integers = ffi::Span<const int64_t>;

// What pictures are made of. Weights, their gradients and biases are float32 in both.
struct Float32 {
  using Buffer = ffi::Buffer<ffi::F32>;
  using Number = float;
  static const KernelTable& kernels() { return chosen(); }
  static float number(float value) { return value; }
};
struct Bfloat16Pictures {
  using Buffer = ffi::Buffer<ffi::BF16>;
  using Number = Bfloat16;
  static const Bfloat16Table& kernels() { return chosen_bfloat16(); }
  static Bfloat16 number(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    return {static_cast<uint16_t>(value == value ? (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16 : (bits | 0x400000u) >> 16)};
  }
};

template <typename Kind>
using In = typename Kind::Buffer;
template <typename Kind>
using Out = ffi::Result<typename Kind::Buffer>;

template <typename Kind>
const typename Kind::Number* numbers(const In<Kind>& buffer) {
  return static_cast<const typename Kind::Number*>(buffer.untyped_data());
}
template <typename Kind>
typename Kind::Number* numbers(Out<Kind>& buffer) {
  return static_cast<typename Kind::Number*>(buffer->untyped_data());
}

// Roughly, on one core: 60 multiply-adds, four cells of a window or one number to normalise in a nanosecond.
double microseconds_of(const ConvolutionGeometry& g) {
  double products = static_cast<double>(g.batch) * static_cast<double>(g.out_channels);
  products *= static_cast<double>(g.in_channels / std::max<int64_t>(g.groups, 1));
  for (int i = 0; i < 3; ++i) products *= static_cast<double>(g.out[i]) * static_cast<double>(g.kernel[i]);
  return products / 60e3;
}

double microseconds_of(const PoolingGeometry& g) {
  double cells = static_cast<double>(g.batch) * static_cast<double>(g.channels);
  for (int i = 0; i < 3; ++i) cells *= static_cast<double>(g.out[i]) * static_cast<double>(g.size[i]);
  return cells / 4e3;
}

double microseconds_of(const NormalizationGeometry& g) {
  return static_cast<double>(g.batch) * static_cast<double>(g.positions) * static_cast<double>(g.channels) / 1e3;
}

// Calls shorter than this run on the calling thread: waking another takes longer than what it would do. One picture through the
// lecture convnet: 130 instead of 357 µs on two cores.
constexpr double kAlone = 50;

class XlaPool final : public Pool {
 public:
  XlaPool(ffi::ThreadPool& pool, double microseconds)
      : pool_(pool), threads_(microseconds < kAlone ? 1 : static_cast<int>(std::clamp<int64_t>(pool.num_threads(), 1, 1 << 10))) {}
  int threads() const override { return threads_; }
  void schedule(std::function<void()> task) override { pool_.Schedule(std::move(task)); }

 private:
  ffi::ThreadPool& pool_;
  int threads_;
};

Sizes sizes(Integers values) { return {values.begin(), values.size()}; }

template <typename Buffer>
Sizes sizes_of(const Buffer& buffer) {
  return sizes(buffer.dimensions());
}

// No exception passes the C boundary.
template <typename Call>
ffi::Error guarded(ffi::ThreadPool& threads, double microseconds, const Call& call) {
  try {
    XlaPool pool(threads, microseconds);
    PoolWorkers workers(pool);
    call(workers);
  } catch (const std::bad_alloc&) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted, "Convista's native kernel found no scratch memory");
  }
  return ffi::Error::Success();
}

// Whoever writes a buffer is as a rule the first to touch its memory.
template <typename Buffer>
void prepare(ffi::Result<Buffer>& buffer) {
  prefer_huge_pages(buffer->untyped_data(), buffer->size_bytes());
}

template <typename Buffer, typename Call>
ffi::Error guarded(ffi::ThreadPool& threads, double microseconds, ffi::Result<Buffer>& result, const Call& call) {
  prepare(result);
  return guarded(threads, microseconds, call);
}

ffi::Error wrong(const char* kernel, const std::string& problem) {
  return ffi::Error::InvalidArgument(std::string(kernel) + ": " + problem);
}

template <typename Buffer>
bool empty(const Buffer& buffer) {
  return buffer.element_count() == 0;
}

// Zero bits are the number zero.
template <typename Buffer>
void fill_zero(ffi::Result<Buffer>& buffer) {
  std::memset(buffer->untyped_data(), 0, buffer->size_bytes());
}

template <typename Kind>
ffi::Error convolution_forward(ffi::ThreadPool threads, In<Kind> x, Floats w, ffi::RemainingArgs optional_bias, Out<Kind> y,
                               Integers strides, Integers before, Integers after, Integers dilation, int64_t groups,
                               bool relu) {
  ConvolutionGeometry geometry;
  const Steps steps{sizes(strides), sizes(before), sizes(after), sizes(dilation)};
  const std::string problem = check_convolution(sizes_of(x), sizes_of(w), sizes_of(*y), steps, groups, geometry);
  if (!problem.empty()) return wrong("convolution", problem);
  if (optional_bias.size() > 1) return wrong("convolution", "takes an input, a kernel and at most one bias");
  const float* bias = nullptr;
  if (optional_bias.size() == 1) {
    const auto given = optional_bias.get<Floats>(0);
    if (!given.has_value()) return wrong("convolution", "a bias is float32");
    if (given->dimensions().size() != 1 || given->dimensions()[0] != geometry.out_channels) {
      return wrong("convolution", "a bias has one number for each filter");
    }
    bias = given->typed_data();
  }
  if (empty(*y)) return ffi::Error::Success();
  if (empty(x) || empty(w)) {
    const int64_t count = static_cast<int64_t>(y->element_count());
    for (int64_t i = 0; i < count; ++i) {
      const float sum = bias == nullptr ? 0.0f : bias[i % geometry.out_channels];
      numbers<Kind>(y)[i] = Kind::number(relu && sum < 0.0f ? 0.0f : sum);
    }
    return ffi::Error::Success();
  }
  return guarded(threads, microseconds_of(geometry), y, [&](Workers& workers) {
    Kind::kernels().convolution_forward(geometry, numbers<Kind>(x), w.typed_data(), bias, relu, numbers<Kind>(y), workers);
  });
}

template <typename Kind>
ffi::Error convolution_input_gradient(ffi::ThreadPool threads, In<Kind> dy, Floats w, Out<Kind> dx, Integers strides,
                                      Integers before, Integers after, Integers dilation, int64_t groups) {
  ConvolutionGeometry geometry;
  const Steps steps{sizes(strides), sizes(before), sizes(after), sizes(dilation)};
  const std::string problem = check_convolution(sizes_of(*dx), sizes_of(w), sizes_of(dy), steps, groups, geometry);
  if (!problem.empty()) return wrong("convolution, gradient by input", problem);
  if (empty(*dx)) return ffi::Error::Success();
  if (empty(dy) || empty(w)) {
    fill_zero(dx);
    return ffi::Error::Success();
  }
  return guarded(threads, microseconds_of(geometry), dx, [&](Workers& workers) {
    Kind::kernels().convolution_input_gradient(geometry, numbers<Kind>(dy), w.typed_data(), numbers<Kind>(dx), workers);
  });
}

template <typename Kind>
ffi::Error convolution_kernel_gradient(ffi::ThreadPool threads, In<Kind> x, In<Kind> dy, FloatsOut dw,
                                       ffi::RemainingRets optional_dbias, Integers strides, Integers before,
                                       Integers after, Integers dilation, int64_t groups) {
  ConvolutionGeometry geometry;
  const Steps steps{sizes(strides), sizes(before), sizes(after), sizes(dilation)};
  const std::string problem = check_convolution(sizes_of(x), sizes_of(*dw), sizes_of(dy), steps, groups, geometry);
  const char* name = "convolution, gradient by kernel";
  if (!problem.empty()) return wrong(name, problem);
  if (optional_dbias.size() > 1) return wrong(name, "returns a kernel's gradient and at most one bias's");
  float* dbias = nullptr;
  if (optional_dbias.size() == 1) {
    const auto given = optional_dbias.get<Floats>(0);
    if (!given.has_value()) return wrong(name, "a bias is float32");
    FloatsOut buffer = *given;
    if (buffer->dimensions().size() != 1 || buffer->dimensions()[0] != geometry.out_channels) {
      return wrong(name, "a bias has one number for each filter");
    }
    dbias = buffer->typed_data();
  }
  if (empty(*dw) || empty(x) || empty(dy)) {
    if (dbias != nullptr) return wrong(name, "an empty sum has no bias");
    fill_zero(dw);
    return ffi::Error::Success();
  }
  return guarded(threads, microseconds_of(geometry), [&](Workers& workers) {
    Kind::kernels().convolution_kernel_gradient(geometry, numbers<Kind>(x), numbers<Kind>(dy), dw->typed_data(), dbias, workers);
  });
}

// Winners are numbered in one byte where a window has at most 256 cells.
std::string check_index(const ffi::AnyBuffer& index, Sizes y, const PoolingGeometry& geometry) {
  const auto dimensions = index.dimensions();
  if (dimensions.size() != y.count || !std::equal(dimensions.begin(), dimensions.end(), y.values)) {
    return "the winners have the shape of the output";
  }
  const int64_t cells = geometry.size[0] * geometry.size[1] * geometry.size[2];
  if (index.element_type() == ffi::U8 ? cells > 256 : index.element_type() != ffi::S32) {
    return "the winners are int32, or uint8 for a window of at most 256 cells";
  }
  return "";
}

template <typename Kind>
ffi::Error max_pooling_forward(ffi::ThreadPool threads, In<Kind> x, Out<Kind> y, ffi::RemainingRets optional_index,
                               Integers window, Integers strides, Integers before, Integers after) {
  PoolingGeometry geometry;
  const Steps steps{sizes(strides), sizes(before), sizes(after), {}};
  std::string problem = check_pooling(sizes_of(x), sizes_of(*y), sizes(window), steps, geometry);
  void* index = nullptr;
  bool small = true;
  if (problem.empty() && optional_index.size() > 1) problem = "returns the largest cells and at most their numbers";
  if (problem.empty() && optional_index.size() == 1) {
    const auto given = optional_index.get<ffi::AnyBuffer>(0);
    if (!given.has_value()) return given.error();
    ffi::Result<ffi::AnyBuffer> buffer = *given;
    problem = check_index(*buffer, sizes_of(*y), geometry);
    index = buffer->untyped_data();
    small = buffer->element_type() == ffi::U8;
  }
  if (!problem.empty()) return wrong("max pooling", problem);
  if (empty(*y)) return ffi::Error::Success();
  if (empty(x)) return wrong("max pooling", "an input has at least one cell");
  return guarded(threads, microseconds_of(geometry), y, [&](Workers& workers) {
    if (small) {
      auto* winners = static_cast<uint8_t*>(index);
      Kind::kernels().max_pooling_forward_small(geometry, numbers<Kind>(x), numbers<Kind>(y), winners, workers);
    } else {
      auto* winners = static_cast<int32_t*>(index);
      Kind::kernels().max_pooling_forward_large(geometry, numbers<Kind>(x), numbers<Kind>(y), winners, workers);
    }
  });
}

template <typename Kind>
ffi::Error max_pooling_gradient(ffi::ThreadPool threads, In<Kind> dy, ffi::AnyBuffer index, Out<Kind> dx, Integers window,
                                Integers strides, Integers before, Integers after) {
  PoolingGeometry geometry;
  const Steps steps{sizes(strides), sizes(before), sizes(after), {}};
  std::string problem = check_pooling(sizes_of(*dx), sizes_of(dy), sizes(window), steps, geometry);
  if (problem.empty()) problem = check_index(index, sizes_of(dy), geometry);
  if (!problem.empty()) return wrong("max pooling, gradient", problem);
  if (empty(*dx)) return ffi::Error::Success();
  if (empty(dy)) {
    fill_zero(dx);
    return ffi::Error::Success();
  }
  return guarded(threads, microseconds_of(geometry), dx, [&](Workers& workers) {
    if (index.element_type() == ffi::U8) {
      const auto* winners = static_cast<const uint8_t*>(index.untyped_data());
      Kind::kernels().max_pooling_gradient_small(geometry, numbers<Kind>(dy), winners, numbers<Kind>(dx), workers);
    } else {
      const auto* winners = static_cast<const int32_t*>(index.untyped_data());
      Kind::kernels().max_pooling_gradient_large(geometry, numbers<Kind>(dy), winners, numbers<Kind>(dx), workers);
    }
  });
}

template <typename Kind>
ffi::Error sum_pooling_forward(ffi::ThreadPool threads, In<Kind> x, Out<Kind> y, Integers window, Integers strides,
                               Integers before, Integers after, bool mean) {
  PoolingGeometry geometry;
  const Steps steps{sizes(strides), sizes(before), sizes(after), {}};
  const std::string problem = check_pooling(sizes_of(x), sizes_of(*y), sizes(window), steps, geometry);
  if (!problem.empty()) return wrong("sum pooling", problem);
  if (empty(*y)) return ffi::Error::Success();
  if (empty(x)) return wrong("sum pooling", "an input has at least one cell");
  return guarded(threads, microseconds_of(geometry), y, [&](Workers& workers) {
    Kind::kernels().sum_pooling_forward(geometry, numbers<Kind>(x), mean, numbers<Kind>(y), workers);
  });
}

template <typename Kind>
ffi::Error sum_pooling_gradient(ffi::ThreadPool threads, In<Kind> dy, Out<Kind> dx, Integers window, Integers strides,
                                Integers before, Integers after, bool mean) {
  PoolingGeometry geometry;
  const Steps steps{sizes(strides), sizes(before), sizes(after), {}};
  const std::string problem = check_pooling(sizes_of(*dx), sizes_of(dy), sizes(window), steps, geometry);
  if (!problem.empty()) return wrong("sum pooling, gradient", problem);
  if (empty(*dx)) return ffi::Error::Success();
  if (empty(dy)) {
    fill_zero(dx);
    return ffi::Error::Success();
  }
  return guarded(threads, microseconds_of(geometry), dx, [&](Workers& workers) {
    Kind::kernels().sum_pooling_gradient(geometry, numbers<Kind>(dy), mean, numbers<Kind>(dx), workers);
  });
}

int64_t cells_of_window(const PoolingGeometry& pooling) { return pooling.size[0] * pooling.size[1] * pooling.size[2]; }

// A buffer of one number for each filter.
bool for_filters(const Floats& buffer, const ConvolutionGeometry& geometry) {
  return buffer.dimensions().size() == 1 && buffer.dimensions()[0] == geometry.out_channels;
}

std::string check_winner(const ffi::AnyBuffer& winner, Sizes y) {
  const auto dimensions = winner.dimensions();
  if (winner.element_type() != ffi::U8) return "the winners are uint8";
  if (dimensions.size() == y.count && std::equal(dimensions.begin(), dimensions.end(), y.values)) return "";
  return "the winners have the shape of the output";
}

template <typename Kind>
ffi::Error block_forward(ffi::ThreadPool threads, In<Kind> x, Floats w, Floats bias, Out<Kind> y, ffi::RemainingRets optional_winner,
                         Integers window, Integers strides, Integers before, Integers after, Integers dilation,
                         int64_t groups, bool relu) {
  ConvolutionGeometry geometry;
  PoolingGeometry pooling;
  const Steps steps{sizes(strides), sizes(before), sizes(after), sizes(dilation)};
  std::string problem = check_block(sizes_of(x), sizes_of(w), sizes_of(*y), steps, groups, sizes(window), geometry, pooling);
  if (problem.empty() && !for_filters(bias, geometry)) problem = "a bias has one number for each filter";
  if (problem.empty() && optional_winner.size() > (cells_of_window(pooling) > 1 ? 1u : 0u)) {
    problem = "returns winners at most once, and only where windows have several cells";
  }
  uint8_t* winner = nullptr;
  if (problem.empty() && optional_winner.size() == 1) {
    const auto given = optional_winner.get<ffi::AnyBuffer>(0);
    if (!given.has_value()) return given.error();
    ffi::Result<ffi::AnyBuffer> buffer = *given;
    problem = check_winner(*buffer, sizes_of(*y));
    winner = static_cast<uint8_t*>(buffer->untyped_data());
  }
  if (!problem.empty()) return wrong("block", problem);
  if (empty(*y)) return ffi::Error::Success();
  if (empty(x) || empty(w)) return wrong("block", "an input and a kernel have at least one number");
  return guarded(threads, microseconds_of(geometry), y, [&](Workers& workers) {
    Kind::kernels().block_forward(geometry, pooling, numbers<Kind>(x), w.typed_data(), bias.typed_data(), relu, numbers<Kind>(y), winner,
                                  workers);
  });
}

// Returns the gradients that `by_input`, `by_kernel` and `by_bias` ask for. The last operand is left out where windows have one cell.
template <typename Kind>
ffi::Error block_gradient(ffi::ThreadPool threads, In<Kind> x, Floats w, In<Kind> y, In<Kind> dy, ffi::RemainingArgs optional_winner,
                          ffi::RemainingRets results, Integers window, Integers strides, Integers before, Integers after,
                          Integers dilation, int64_t groups, bool relu, bool by_input, bool by_kernel, bool by_bias) {
  ConvolutionGeometry geometry;
  PoolingGeometry pooling;
  const Steps steps{sizes(strides), sizes(before), sizes(after), sizes(dilation)};
  const char* name = "block, gradient";
  std::string problem = check_block(sizes_of(x), sizes_of(w), sizes_of(y), steps, groups, sizes(window), geometry, pooling);
  const auto equal = [](Integers a, Integers b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); };
  if (problem.empty() && !equal(dy.dimensions(), y.dimensions())) problem = "a gradient has the shape of the output";
  if (problem.empty() && optional_winner.size() != (cells_of_window(pooling) > 1 ? 1u : 0u)) {
    problem = "takes winners where windows have several cells, and only there";
  }
  const uint8_t* winner = nullptr;
  if (problem.empty() && optional_winner.size() == 1) {
    const auto given = optional_winner.get<ffi::AnyBuffer>(0);
    if (!given.has_value()) return given.error();
    problem = check_winner(*given, sizes_of(y));
    winner = static_cast<const uint8_t*>(given->untyped_data());
  }
  const bool wanted[] = {by_input, by_kernel, by_bias};
  if (problem.empty() && results.size() != static_cast<std::size_t>(by_input + by_kernel + by_bias)) {
    problem = "returns the gradients that are asked for";
  }
  if (!problem.empty()) return wrong(name, problem);
  const int64_t filters[] = {geometry.out_channels};
  const Integers shapes[] = {x.dimensions(), w.dimensions(), Integers(filters, 1)};
  void* gradients[3] = {};
  const bool nothing = empty(y) || empty(x) || empty(w);
  for (std::size_t i = 0, number = 0; i < 3; ++i) {
    if (!wanted[i]) continue;
    const auto given = results.get<ffi::AnyBuffer>(number++);
    if (!given.has_value()) return given.error();
    ffi::Result<ffi::AnyBuffer> buffer = *given;
    if (buffer->element_type() != (i == 0 ? x.element_type() : ffi::F32)) {
      return wrong(name, "a gradient by the input has its dtype, the others are float32");
    }
    if (!equal(buffer->dimensions(), shapes[i])) return wrong(name, "a gradient has the shape of what it belongs to");
    gradients[i] = buffer->untyped_data();
    prepare(buffer);
    if (nothing) fill_zero(buffer);
  }
  if (nothing) return ffi::Error::Success();
  return guarded(threads, microseconds_of(geometry), [&](Workers& workers) {
    Kind::kernels().block_gradient(geometry, pooling, numbers<Kind>(x), w.typed_data(), winner, numbers<Kind>(y), numbers<Kind>(dy), relu,
                                   static_cast<typename Kind::Number*>(gradients[0]), static_cast<float*>(gradients[1]),
                                   static_cast<float*>(gradients[2]), workers);
  });
}

ffi::Error normalization_forward(ffi::ThreadPool threads, Floats x, Floats scale, Floats offset, Floats mask, FloatsOut y,
                                 FloatsOut mean, FloatsOut variance, float epsilon, bool relu) {
  NormalizationGeometry geometry;
  const std::string problem = check_normalization(
      sizes_of(x), {sizes_of(*y)}, {sizes_of(scale), sizes_of(offset), sizes_of(*mean), sizes_of(*variance)}, sizes_of(mask), geometry);
  if (!problem.empty()) return wrong("normalization", problem);
  return guarded(threads, microseconds_of(geometry), y, [&](Workers& workers) {
    chosen().normalization_forward(geometry, x.typed_data(), scale.typed_data(), offset.typed_data(), mask.typed_data(), epsilon, relu,
                                   y->typed_data(), mean->typed_data(), variance->typed_data(), workers);
  });
}

ffi::Error normalization_gradient(ffi::ThreadPool threads, Floats dy, Floats x, Floats scale, Floats offset, Floats mean,
                                  Floats variance, Floats mask, FloatsOut dx, FloatsOut dscale, FloatsOut doffset, float epsilon,
                                  bool relu) {
  NormalizationGeometry geometry;
  const std::string problem = check_normalization(
      sizes_of(x), {sizes_of(dy), sizes_of(*dx)},
      {sizes_of(scale), sizes_of(offset), sizes_of(mean), sizes_of(variance), sizes_of(*dscale), sizes_of(*doffset)}, sizes_of(mask),
      geometry);
  if (!problem.empty()) return wrong("normalization, gradient", problem);
  return guarded(threads, microseconds_of(geometry), dx, [&](Workers& workers) {
    chosen().normalization_gradient(geometry, dy.typed_data(), x.typed_data(), scale.typed_data(), offset.typed_data(),
                                    mean.typed_data(), variance.typed_data(), mask.typed_data(), epsilon, relu, dx->typed_data(),
                                    dscale->typed_data(), doffset->typed_data(), workers);
  });
}

ffi::Error threads_of_pool(ffi::ThreadPool threads, ffi::ResultBufferR0<ffi::S32> count) {
  *count->typed_data() = static_cast<int32_t>(std::max<int64_t>(threads.num_threads(), 1));
  return ffi::Error::Success();
}

}  // namespace
}  // namespace convista

#define CONVISTA_EXPORT extern "C" __attribute__((visibility("default")))

#define CONVISTA_STEPS Attr<Integers>("strides").Attr<Integers>("before").Attr<Integers>("after")

using convista::Floats;
using convista::Integers;

#define CONVISTA_HANDLER(name, function, binding)                                              \
  CONVISTA_EXPORT XLA_FFI_Error* name(XLA_FFI_CallFrame* frame);                                \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(name, function, ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().binding)

// Every handler twice: for pictures of float32 and, with a longer name, of bfloat16.
#define CONVISTA_HANDLERS(name, binding)                                                              \
  CONVISTA_HANDLER(convista_##name, convista::name<convista::Float32>, binding(convista::Float32));    \
  CONVISTA_HANDLER(convista_##name##_bfloat16, convista::name<convista::Bfloat16Pictures>, binding(convista::Bfloat16Pictures))

#define CONVISTA_CONVOLUTION_STEPS CONVISTA_STEPS.Attr<Integers>("dilation").Attr<int64_t>("groups")
#define CONVISTA_PICTURES(kind) Arg<kind::Buffer>()
#define CONVISTA_RESULT(kind) Ret<kind::Buffer>()
#define CONVISTA_FORWARD(kind) \
  CONVISTA_PICTURES(kind).Arg<Floats>().RemainingArgs().CONVISTA_RESULT(kind).CONVISTA_CONVOLUTION_STEPS.Attr<bool>("relu")
#define CONVISTA_INPUT_GRADIENT(kind) CONVISTA_PICTURES(kind).Arg<Floats>().CONVISTA_RESULT(kind).CONVISTA_CONVOLUTION_STEPS
#define CONVISTA_KERNEL_GRADIENT(kind) \
  CONVISTA_PICTURES(kind).CONVISTA_PICTURES(kind).Ret<Floats>().RemainingRets().CONVISTA_CONVOLUTION_STEPS
#define CONVISTA_BLOCK(kind)                                                                        \
  CONVISTA_PICTURES(kind).Arg<Floats>().Arg<Floats>().CONVISTA_RESULT(kind).RemainingRets()          \
      .Attr<Integers>("window").CONVISTA_CONVOLUTION_STEPS.Attr<bool>("relu")
#define CONVISTA_BLOCK_GRADIENT(kind)                                                                                              \
  CONVISTA_PICTURES(kind).Arg<Floats>().CONVISTA_PICTURES(kind).CONVISTA_PICTURES(kind).RemainingArgs().RemainingRets()             \
      .Attr<Integers>("window").CONVISTA_CONVOLUTION_STEPS.Attr<bool>("relu").Attr<bool>("by_input").Attr<bool>("by_kernel")        \
      .Attr<bool>("by_bias")
#define CONVISTA_MAX(kind) CONVISTA_PICTURES(kind).CONVISTA_RESULT(kind).RemainingRets().Attr<Integers>("window").CONVISTA_STEPS
#define CONVISTA_MAX_GRADIENT(kind) \
  CONVISTA_PICTURES(kind).Arg<ffi::AnyBuffer>().CONVISTA_RESULT(kind).Attr<Integers>("window").CONVISTA_STEPS
#define CONVISTA_SUM(kind) CONVISTA_PICTURES(kind).CONVISTA_RESULT(kind).Attr<Integers>("window").CONVISTA_STEPS.Attr<bool>("mean")

CONVISTA_HANDLERS(convolution_forward, CONVISTA_FORWARD);
CONVISTA_HANDLERS(convolution_input_gradient, CONVISTA_INPUT_GRADIENT);
CONVISTA_HANDLERS(convolution_kernel_gradient, CONVISTA_KERNEL_GRADIENT);
CONVISTA_HANDLERS(max_pooling_forward, CONVISTA_MAX);
CONVISTA_HANDLERS(max_pooling_gradient, CONVISTA_MAX_GRADIENT);
CONVISTA_HANDLERS(sum_pooling_forward, CONVISTA_SUM);
CONVISTA_HANDLERS(sum_pooling_gradient, CONVISTA_SUM);
CONVISTA_HANDLERS(block_forward, CONVISTA_BLOCK);
CONVISTA_HANDLERS(block_gradient, CONVISTA_BLOCK_GRADIENT);
CONVISTA_HANDLER(convista_normalization_forward, convista::normalization_forward,
                 Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>().Ret<Floats>().Ret<Floats>().Ret<Floats>()
                     .Attr<float>("epsilon").Attr<bool>("relu"));
CONVISTA_HANDLER(convista_normalization_gradient, convista::normalization_gradient,
                 Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>().Arg<Floats>()
                     .Ret<Floats>().Ret<Floats>().Ret<Floats>().Attr<float>("epsilon").Attr<bool>("relu"));
CONVISTA_HANDLER(convista_threads, convista::threads_of_pool, Ret<ffi::BufferR0<ffi::S32>>());

// What the handlers take and return; INTERFACE in src/convista/kernels/native.py.
CONVISTA_EXPORT int convista_interface() { return 5; }
CONVISTA_EXPORT const char* convista_chosen() { return convista::chosen_name(); }
CONVISTA_EXPORT bool convista_choose(const char* name) { return name != nullptr && convista::choose(name); }
CONVISTA_EXPORT bool convista_runs(const char* name) { return name != nullptr && convista::runs(name); }
