// One block of a network: y = f(max over each window of convolution(x, w), plus bias), f linear or relu, in one pass: what the
// convolution makes stays in the cache. Bias and f keep order, so they wait until after the maximum: the same values to the
// bit, for a quarter of the work with 2 × 2 windows.
//
// Windows tile the picture. What they do not reach is not computed: of the lecture convnet's second convolution, 11 × 11 under 2 × 2
// windows, a sixth. A window of one cell is a block without pooling.
#pragma once
#include "convolution_forward.h"
#include "pooling.h"

namespace convista::CONVISTA_TARGET {

// The convolution with the positions that windows reach.
inline ConvolutionGeometry reached(ConvolutionGeometry g, const PoolingGeometry& pooling) {
  for (int i = 0; i < 3; ++i) g.out[i] = pooling.out[i] * pooling.size[i];
  return g;
}

inline int64_t volume_of(const int64_t (&size)[3]) { return size[0] * size[1] * size[2]; }

constexpr int64_t kMostCells = 256;  // of a window, so that a winner fits a byte

// Offsets of a window's cells, in floats from its first one.
inline int64_t list_cells(const PoolingGeometry& pooling, int64_t* offsets) {
  int64_t count = 0;
  for (int64_t c0 = 0; c0 < pooling.size[0]; ++c0)
    for (int64_t c1 = 0; c1 < pooling.size[1]; ++c1)
      for (int64_t c2 = 0; c2 < pooling.size[2]; ++c2)
        offsets[count++] = ((c0 * pooling.in[1] + c1) * pooling.in[2] + c2) * pooling.channels;
  return count;
}

// body(window's number, its first cell's offset in floats) for every window of the pictures.
template <typename Body>
void for_windows(const PoolingGeometry& pooling, const Body& body) {
  const int64_t row = pooling.in[2] * pooling.channels, plane = pooling.in[1] * row, image = pooling.in[0] * plane;
  int64_t window = 0;
  for (int64_t n = 0; n < pooling.batch; ++n)
    for (int64_t p0 = 0; p0 < pooling.out[0]; ++p0)
      for (int64_t p1 = 0; p1 < pooling.out[1]; ++p1)
        for (int64_t p2 = 0; p2 < pooling.out[2]; ++p2)
          body(window++, n * image + p0 * pooling.size[0] * plane + p1 * pooling.size[1] * row + p2 * pooling.size[2] * pooling.channels);
}

// The first of the largest cells wins, NaN before everything, as in max_pooling_forward; y is float32 or bfloat16, rounded once.
template <typename Number>
void pool_block(const PoolingGeometry& pooling, const float* from, const float* bias, bool relu, Number* y, uint8_t* winner) {
  int64_t cells[kMostCells];
  const int64_t count = list_cells(pooling, cells);
  for_windows(pooling, [&](int64_t window, int64_t first) {
    const int64_t to = window * pooling.channels;
    pooling::for_channels(pooling.channels, [&](auto vector, int64_t channel) {
      using V = decltype(vector);
      const float* cell = from + first + channel;
      typename V::Floats best = V::load(cell);
      typename V::Integers number = typename V::Integers{};
      for (int64_t k = 1; k < count; ++k) {
        const typename V::Floats value = V::load(cell + cells[k]);
        const auto larger = (value > best) | ((value != value) & (best == best));
        best = larger ? value : best;
        number = larger ? typename V::Integers{} + static_cast<int32_t>(k) : number;
      }
      best += V::load(bias + channel);
      if (relu) best = best < typename V::Floats{} ? typename V::Floats{} : best;
      V::store(y + to + channel, best);
      if (winner) V::store_index(winner + to + channel, number);
    });
  });
}

// Cut by shape: groups of images, or bands of single images along the first axis that has more than one window.
struct BlockCut {
  int axis;
  int64_t groups, bands;
};

constexpr int64_t kBlockBytes = 128 * 1024;  // of convolution between the kernels
constexpr int64_t kBlockTasks = 8, kBandPositions = 128;

inline BlockCut cut_block(const ConvolutionGeometry& g, const PoolingGeometry& pooling) {
  BlockCut cut{0, g.batch, 1};
  while (cut.axis < 2 && pooling.out[cut.axis] == 1) ++cut.axis;
  const int64_t positions = volume_of(g.out), bytes = positions * g.out_channels * static_cast<int64_t>(sizeof(float));
  const int64_t rows = pooling.out[cut.axis];
  if (bytes > kBlockBytes) {
    cut.bands = smaller(rows, divide_up(bytes, kBlockBytes));
  } else {
    // Fours, so that two and four threads have the same work.
    cut.groups = smaller(g.batch, divide_up(divide_up(g.batch, kBlockBytes / bytes), 4) * 4);
  }
  if (cut.groups * cut.bands < kBlockTasks) {
    cut.groups = smaller(g.batch, kBlockTasks);
    const int64_t wanted = divide_up(kBlockTasks, cut.groups), useful = positions / kBandPositions;
    // Only pictures that are alone have bands: those of two would not be one piece of y.
    if (cut.groups == g.batch) cut.bands = larger(cut.bands, smaller(rows, smaller(wanted, useful)));
  }
  return cut;
}

// What one task makes: some pictures, or a band of one.
struct BlockPart {
  ConvolutionGeometry g;
  PoolingGeometry pooling;
  int64_t source, target;  // where its pictures and what it writes begin, in numbers
  int64_t sums() const { return g.batch * volume_of(g.out) * g.out_channels; }
};

inline BlockPart block_part(const ConvolutionGeometry& whole, const PoolingGeometry& windows, const BlockCut& cut, int64_t task) {
  const int64_t group = task / cut.bands, band = task % cut.bands, axis = cut.axis;
  const int64_t image = whole.batch * group / cut.groups, images = whole.batch * (group + 1) / cut.groups - image;
  const int64_t row = windows.out[axis] * band / cut.bands, rows = windows.out[axis] * (band + 1) / cut.bands - row;
  BlockPart part{whole, windows, image * volume_of(whole.in) * whole.in_channels, 0};
  part.g.batch = part.pooling.batch = images;
  part.g.before[axis] -= row * windows.size[axis] * whole.stride[axis];
  part.g.out[axis] = rows * windows.size[axis];
  part.pooling.out[axis] = rows;
  for (int i = 0; i < 3; ++i) part.pooling.in[i] = part.g.out[i];
  // Axes before the band's have one window, so a band is one piece of y.
  const int64_t band_size = volume_of(windows.out) / windows.out[axis] * whole.out_channels;
  part.target = image * volume_of(windows.out) * whole.out_channels + row * band_size;
  return part;
}

inline void block_forward_task(const BlockPart& part, float* packed, const float* x, const float* bias, bool relu, float* y, uint8_t* winner,
                               Workers& workers) {
  GatherJob job{forward_gather(part.g), {}, packed, 1, 0, 0};
  place_segments(job.gather, static_cast<Segment*>(workers.scratch(3, segments_needed(job.gather) * sizeof(Segment))));
  job.units = gather_units(job.gather);
  auto* sums = static_cast<float*>(workers.scratch(2, static_cast<size_t>(part.sums()) * sizeof(float)));
  const GatherCall call{x + part.source, nullptr, false, sums};
  for (int64_t unit = 0; unit < job.units.count; ++unit) gather_task(job, call, unit, workers);
  pool_block(part.pooling, sums, bias, relu, y + part.target, winner ? winner + part.target : nullptr);
}

// The sums of a depthwise convolution are pooled picture by picture.
template <typename Number>
void pool_pictures(const ConvolutionGeometry& g, PoolingGeometry pooling, const float* sums, const float* bias, bool relu, Number* y,
                   uint8_t* winner, Workers& workers) {
  const int64_t from = volume_of(g.out) * g.out_channels, to = volume_of(pooling.out) * g.out_channels;
  pooling.batch = 1;
  for (int i = 0; i < 3; ++i) pooling.in[i] = g.out[i];
  workers.run(static_cast<int>(g.batch), [&](int n) {
    pool_block(pooling, sums + n * from, bias, relu, y + n * to, winner ? winner + n * to : nullptr);
  });
}

inline void block_forward(const ConvolutionGeometry& given, const PoolingGeometry& pooling, const float* x, const float* w,
                          const float* bias, bool relu, float* y, uint8_t* winner, Workers& workers) {
  const ConvolutionGeometry g = reached(given, pooling);
  if (volume_of(pooling.size) == 1) return convolution_forward(g, x, w, bias, relu, y, workers);
  if (is_depthwise(g)) {
    auto* sums = static_cast<float*>(workers.shared(static_cast<size_t>(g.batch * volume_of(g.out) * g.out_channels) * sizeof(float)));
    depthwise_forward(g, x, w, nullptr, false, sums, workers);
    return pool_pictures(g, pooling, sums, bias, relu, y, winner, workers);
  }
  const Gather gather = forward_gather(g);
  const Blocks blocks = blocks_of(gather);
  auto* packed = static_cast<float*>(workers.shared(static_cast<size_t>(g.groups * blocks.size()) * sizeof(float)));
  const int64_t taps = gather.taps(), channels = gather.group_sources(), targets = gather.group_targets();
  workers.run(static_cast<int>(taps * g.groups), [&](int task) {
    const int64_t tap = task % taps, group = task / taps;
    pack_tap(w + tap * channels * g.out_channels + group * targets, g.out_channels, targets, channels, blocks, tap * channels,
             packed + group * blocks.size());
  });
  const BlockCut cut = cut_block(g, pooling);
  workers.run(static_cast<int>(cut.groups * cut.bands), [&](int task) {
    block_forward_task(block_part(g, pooling, cut, task), packed, x, bias, relu, y, winner, workers);
  });
}

}  // namespace convista::CONVISTA_TARGET
