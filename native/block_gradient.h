// The gradients of a block. The gradient that reaches the convolution is mostly zeros: of each window only the winner has any,
// and of the winners only those that relu let through. So the values that are not zero are listed and each meets the taps of its
// position: a sixth of the products of the lecture convnet's second convolution. Batch 128, one core: 3.9 ms where the gradients
// of pooling and convolution took 9.1; with nine in ten values above zero, where training has seven.
//
// A zero that is left out is no product: 0·∞ would be NaN. So where any number of an argument is not finite, the gradient is
// spread out after all and goes through the plain kernels, and NaN and infinities come out where they do without the block.
#pragma once
#include "block.h"
#include "convolution_input_gradient.h"
#include "convolution_kernel_gradient.h"

namespace convista::CONVISTA_TARGET {

// Pictures of float32 or bfloat16.
template <typename Number>
struct BlockArguments {
  const Number* x;
  const float* w;
  const uint8_t* winner;  // null: windows of one cell
  const Number *y, *dy;
  bool relu;
};

// Each may be null.
template <typename Number>
struct BlockGradients {
  Number* dx;
  float *dw, *dbias;
};

// A value of the gradient that is not zero, and where it goes, in floats. In a filter's list: its position's first tap in the pictures of
// a group. In a cell's list: its filter's weights.
struct Entry {
  uint32_t value;  // the bits of a float
  int32_t offset;
};

inline float value_of(const Entry& entry) {
  float value;
  std::memcpy(&value, &entry.value, sizeof value);
  return value;
}

struct List {
  const Entry* entries;
  int64_t count;
};

// The exponent of infinities and NaN.
inline bool is_strange(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return (bits & 0x7f800000u) == 0x7f800000u;
}

inline bool has_strange(const float* values, int64_t count) {
  uint32_t strange = 0;
  for (int64_t i = 0; i < count; ++i) strange |= is_strange(values[i]);
  return strange != 0;
}

// Pictures with their padding around them, so that every position has all its taps, and behind them a vector that may be read.
struct Padded {
  int64_t size[3], floats;
};

inline Padded padded_picture(const ConvolutionGeometry& g) {
  Padded padded{};
  for (int i = 0; i < 3; ++i) {
    const int64_t reach = (g.out[i] - 1) * g.stride[i] + (g.kernel[i] - 1) * g.dilation[i] + 1;
    padded.size[i] = larger(g.before[i] + g.in[i], reach);
  }
  padded.floats = divide_up(volume_of(padded.size) * g.in_channels, kWidth) * kWidth;
  return padded;
}

// body(row of the picture, row of the padded one), both in floats, for every row of pixels.
template <typename Body>
void for_pixel_rows(const ConvolutionGeometry& g, const Padded& padded, const Body& body) {
  for (int64_t i0 = 0; i0 < g.in[0]; ++i0)
    for (int64_t i1 = 0; i1 < g.in[1]; ++i1)
      body((i0 * g.in[1] + i1) * g.in[2] * g.in_channels,
           (((i0 + g.before[0]) * padded.size[1] + i1 + g.before[1]) * padded.size[2] + g.before[2]) * g.in_channels);
}

// Returns whether every number is finite. `to` holds zeros where the padding is.
template <typename Number>
bool copy_picture(const ConvolutionGeometry& g, const Padded& padded, const Number* from, float* to) {
  const int64_t row = g.in[2] * g.in_channels;
  bool finite = true;
  for_pixel_rows(g, padded, [&](int64_t in, int64_t out) {
    copy_row(from + in, row, to + out);
    finite = finite && !has_strange(to + out, row);
  });
  return finite;
}

// Taps whose channels lie together: rows of the kernel, or single taps where they lie apart.
struct TapRuns {
  int64_t count, length, vectors;  // vectors: of one run, the last one filled up
  int64_t floats() const { return count * vectors * kWidth; }
};

inline TapRuns tap_runs(const ConvolutionGeometry& g) {
  const bool together = g.dilation[2] == 1;
  const int64_t length = g.in_channels * (together ? g.kernel[2] : 1);
  return {volume_of(g.kernel) / (together ? g.kernel[2] : 1), length, divide_up(length, kWidth)};
}

inline void place_runs(const ConvolutionGeometry& g, const Padded& padded, const TapRuns& runs, int64_t* offsets) {
  const int64_t width = runs.count == volume_of(g.kernel) ? g.kernel[2] : 1;
  for (int64_t run = 0; run < runs.count; ++run) {
    const int64_t k2 = run % width, k1 = run / width % g.kernel[1], k0 = run / (width * g.kernel[1]);
    offsets[run] = ((k0 * g.dilation[0] * padded.size[1] + k1 * g.dilation[1]) * padded.size[2] + k2 * g.dilation[2]) * g.in_channels;
  }
}

// The gradient by the kernel: runs of taps × vectors of a run stay in registers while one filter's list passes.
template <int Runs, int Vectors>
void add_pictures(const List& list, const float* pictures, const int64_t* offsets, int64_t run_floats, float* sums) {
  Vector total[Runs][Vectors];
  const float* from[Runs];
  CONVISTA_UNROLL
  for (int r = 0; r < Runs; ++r) {
    from[r] = pictures + offsets[r];
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) total[r][v] = load(sums + r * run_floats + v * kWidth);
  }
  for (const Entry *entry = list.entries, *end = entry + list.count; entry < end; ++entry) {
    const Vector value = fill(value_of(*entry));
    CONVISTA_UNROLL
    for (int r = 0; r < Runs; ++r)
      CONVISTA_UNROLL
      for (int v = 0; v < Vectors; ++v) total[r][v] += value * load(from[r] + entry->offset + v * kWidth);
  }
  CONVISTA_UNROLL
  for (int r = 0; r < Runs; ++r)
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) store(sums + r * run_floats + v * kWidth, total[r][v]);
}

// The gradient by the input: vectors of one run stay in registers while the filters that won at one position pass. Adding filter by
// filter to the picture instead, with the weights in registers, takes twice as long: every store may be what a later load waits for.
template <int Vectors>
void add_weights(const List& list, const float* weights, float* to) {
  Vector total[Vectors];
  CONVISTA_UNROLL
  for (int v = 0; v < Vectors; ++v) total[v] = load(to + v * kWidth);
  for (const Entry *entry = list.entries, *end = entry + list.count; entry < end; ++entry) {
    const Vector value = fill(value_of(*entry));
    const float* from = weights + entry->offset;
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) total[v] += value * load(from + v * kWidth);
  }
  CONVISTA_UNROLL
  for (int v = 0; v < Vectors; ++v) store(to + v * kWidth, total[v]);
}

constexpr int kMostVectors = 12, kMostTaken = kManyRegisters ? 24 : 12, kMostRuns = 3;
constexpr int64_t kBlockFilters = 64;  // whose weights, in a tile of vectors,
constexpr int kTileVectors = 96 / kWidth < kMostTaken ? 96 / kWidth : kMostTaken;  // take 24 KB of the first-level cache

using AddPictures = void (*)(const List&, const float*, const int64_t*, int64_t, float*);
using AddWeights = void (*)(const List&, const float*, float*);

template <int Runs, int Vectors>
AddPictures add_pictures_of(int64_t vectors) {
  if constexpr (Vectors == 0) {
    return nullptr;
  } else {
    return vectors == Vectors ? add_pictures<Runs, Vectors> : add_pictures_of<Runs, Vectors - 1>(vectors);
  }
}

inline AddPictures add_pictures_of(int64_t runs, int64_t vectors) {
  if (runs == 1) return add_pictures_of<1, kMostVectors>(vectors);
  if (runs == 2) return add_pictures_of<2, kMostTaken / 2>(vectors);
  return add_pictures_of<3, kMostTaken / 3>(vectors);
}

template <int Vectors = kTileVectors>
AddWeights add_weights_of(int64_t vectors) {
  if constexpr (Vectors == 0) {
    return nullptr;
  } else {
    return vectors == Vectors ? add_weights<Vectors> : add_weights_of<Vectors - 1>(vectors);
  }
}

// Calls visit(first vector, vectors) for even parts of a run's vectors.
template <typename Visit>
void visit_vectors(const TapRuns& runs, int64_t most, const Visit& visit) {
  const int64_t parts = divide_up(runs.vectors, most);
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t first = runs.vectors * part / parts;
    visit(first, runs.vectors * (part + 1) / parts - first);
  }
}

struct SparsePlan {
  ConvolutionGeometry g;
  PoolingGeometry pooling;
  Padded padded;
  TapRuns runs;
  int64_t windows, cells;       // of one picture; of one window
  int64_t images;               // that a task handles together, so that they stay in the first-level cache
  int64_t slices;               // of the batch, each with its own sums
  const int64_t* run_offsets;
  const int32_t* window_offsets;  // of a window's first cell and of a cell in its window, in the padded picture
  const int32_t* cell_offsets;
  float* weights;    // filter × runs, or null
  float* sums;       // slice × filter × runs, or null
  float* bias_sums;  // slice × filter
  int* strange;      // set by whoever meets a number that is not finite

  int64_t filter_floats() const { return runs.floats(); }
  int64_t blocks() const { return divide_up(g.out_channels, kBlockFilters); }
  int64_t cell_room() const { return blocks() * kBlockFilters; }
  int64_t group_floats() const { return images * padded.floats + kWidth; }
};

constexpr int64_t kPictureBytes = 32 * 1024;
constexpr int64_t kMostPictureBytes = 1 << 20, kMostListBytes = 2 << 20, kMostFilterBytes = 1 << 20;
constexpr int64_t kMostSlices = 32, kSparseSliceBytes = 4 << 20;

inline SparsePlan plan_sparse(const ConvolutionGeometry& g, const PoolingGeometry& pooling) {
  SparsePlan plan{g, pooling, padded_picture(g), tap_runs(g), volume_of(pooling.out), volume_of(pooling.size), 1, 1, {}, {}, {}, {}, {}, {}, {}};
  constexpr int64_t kBytes = sizeof(float);
  plan.images = between(1, kPictureBytes / (plan.padded.floats * kBytes), g.batch);
  const int64_t most = kSparseSliceBytes / (g.out_channels * plan.filter_floats() * kBytes);
  plan.slices = between(1, smaller(most, divide_up(g.batch, plan.images)), kMostSlices);
  if (plan.slices > 4) plan.slices = plan.slices / 4 * 4;  // the same work for two and for four threads
  return plan;
}

// Whether few enough products are left, in vectors full enough, to win over the plain kernels at 80–90 % of the peak. Relu alone
// leaves too many: the lecture convnet's third convolution, where 67 % of the values are above zero, took 2.8 ms instead of 2.3.
inline bool sparse_wins(const SparsePlan& plan) {
  const int64_t filters = plan.g.out_channels, lists = plan.images * plan.windows * plan.cells * filters * static_cast<int64_t>(sizeof(Entry));
  const bool few = plan.cells > 1 && plan.g.groups == 1, full = plan.runs.length * 4 >= plan.runs.vectors * kWidth * 3;
  return few && full && plan.padded.floats * 4 <= kMostPictureBytes && lists <= kMostListBytes && filters * plan.filter_floats() * 4 <= kMostFilterBytes;
}

// w (row, filter) ↔ filter × runs, filled up with zeros: 16 filters at a time, for the sake of the cache.
constexpr int64_t kFiltersTogether = 16;

inline int64_t packed_place(const TapRuns& runs, int64_t row) { return row / runs.length * runs.vectors * kWidth + row % runs.length; }

inline bool pack_filters(const SparsePlan& plan, const float* w, int64_t first, int64_t end) {
  const int64_t floats = plan.filter_floats(), filters = plan.g.out_channels, rows = plan.runs.count * plan.runs.length;
  std::memset(plan.weights + first * floats, 0, static_cast<size_t>((end - first) * floats) * sizeof(float));
  bool finite = true;
  for (int64_t row = 0; row < rows; ++row) {
    float* to = plan.weights + packed_place(plan.runs, row);
    finite = finite && !has_strange(w + row * filters + first, end - first);
    for (int64_t filter = first; filter < end; ++filter) to[filter * floats] = w[row * filters + filter];
  }
  return finite;
}

inline void finish_filters(const SparsePlan& plan, int64_t first, int64_t end, float* dw, Workers& workers) {
  const int64_t floats = plan.filter_floats(), filters = plan.g.out_channels, rows = plan.runs.count * plan.runs.length;
  auto* total = static_cast<float*>(workers.scratch(0, static_cast<size_t>((end - first) * floats) * sizeof(float)));
  add_slices(plan.sums + first * floats, plan.slices, filters * floats, (end - first) * floats, total);
  for (int64_t row = 0; row < rows; ++row) {
    const float* from = total + packed_place(plan.runs, row);
    for (int64_t filter = first; filter < end; ++filter) dw[row * filters + filter] = from[(filter - first) * floats];
  }
}

// What one task needs for itself. A filter's list has room for every window of a group of images, a cell's list for every filter.
struct SparseMemory {
  float *pictures, *gradients, *values;
  Entry *of_filters, *of_cells;
  int64_t *filter_counts, *cell_counts;
};

inline SparseMemory take_sparse_memory(const SparsePlan& plan, Layout& memory) {
  const int64_t filters = plan.g.out_channels, windows = plan.images * plan.windows;
  SparseMemory taken{};
  taken.values = memory.take<float>(filters + kWidth);
  if (plan.sums) {
    taken.pictures = memory.take<float>(plan.group_floats());
    taken.of_filters = memory.take<Entry>(filters * (windows + 1));
    taken.filter_counts = memory.take<int64_t>(filters);
  }
  if (plan.weights) {
    taken.gradients = memory.take<float>(plan.group_floats());
    taken.of_cells = memory.take<Entry>(windows * plan.cells * plan.cell_room());
    taken.cell_counts = memory.take<int64_t>(windows * plan.cells * plan.blocks());
  }
  return taken;
}

// What a window's winners get, and what the bias gets; returns whether all of it is finite.
template <typename Number>
bool take_values(const BlockArguments<Number>& a, int64_t filters, int64_t at, float* values, float* bias_sums) {
  pooling::for_channels(filters, [&](auto vector, int64_t f) {
    using V = decltype(vector);
    typename V::Floats value = V::load(a.dy + at + f);
    if (a.relu) value = V::load(a.y + at + f) > typename V::Floats{} ? value : typename V::Floats{};
    V::store(values + f, value);
  });
  for (int64_t f = 0; f < filters; ++f) bias_sums[f] += values[f];
  return !has_strange(values, filters);
}

inline bool is_zero(Entry entry) { return (entry.value & 0x7fffffffu) == 0; }

inline Entry entry_of(const float* value, int32_t offset) {
  Entry entry{0, offset};
  std::memcpy(&entry.value, value, sizeof entry.value);
  return entry;
}

// Every value is written and only those that are not zero are counted: no branch that could be foretold wrongly.
inline void list_of_filters(const SparsePlan& plan, const float* values, const uint8_t* winner, int64_t base, const SparseMemory& memory) {
  const int64_t room = plan.images * plan.windows + 1;
  Entry* entries = memory.of_filters;
  int64_t* counts = memory.filter_counts;
  const int32_t* cells = plan.cell_offsets;
  const auto start = static_cast<int32_t>(base);
  for (int64_t f = 0; f < plan.g.out_channels; ++f) {
    const Entry entry = entry_of(values + f, start + cells[winner[f]]);
    entries[f * room + counts[f]] = entry;
    counts[f] += !is_zero(entry);
  }
}

inline void list_of_cells(const SparsePlan& plan, const float* values, const uint8_t* winner, int64_t window, const SparseMemory& memory) {
  const int64_t filters = plan.g.out_channels, blocks = plan.blocks();
  const auto floats = static_cast<int32_t>(plan.filter_floats());
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t end = smaller((block + 1) * kBlockFilters, filters);
    Entry* entries = memory.of_cells + (window * plan.cells * blocks + block * plan.cells) * kBlockFilters;
    int64_t* counts = memory.cell_counts + (window * blocks + block) * plan.cells;
    for (int64_t cell = 0; cell < plan.cells; ++cell) counts[cell] = 0;
    for (int64_t f = block * kBlockFilters; f < end; ++f) {
      const Entry entry = entry_of(values + f, static_cast<int32_t>(f) * floats);
      // A number that is no cell's, which no forward pass writes, must not lead out of the picture.
      const int64_t cell = winner[f] < plan.cells ? winner[f] : 0;
      entries[cell * kBlockFilters + counts[cell]] = entry;
      counts[cell] += !is_zero(entry);
    }
  }
}

inline void add_kernel_gradient(const SparsePlan& plan, const SparseMemory& memory, float* sums) {
  const int64_t filters = plan.g.out_channels, floats = plan.filter_floats(), room = plan.images * plan.windows + 1;
  const int64_t run_floats = plan.runs.vectors * kWidth;
  visit_vectors(plan.runs, kMostVectors, [&](int64_t vector, int64_t vectors) {
    const int64_t together = between(1, kMostTaken / vectors, kMostRuns);
    for (int64_t run = 0; run < plan.runs.count; run += together) {
      const AddPictures add = add_pictures_of(smaller(together, plan.runs.count - run), vectors);
      float* to = sums + run * run_floats + vector * kWidth;
      for (int64_t f = 0; f < filters; ++f)
        add({memory.of_filters + f * room, memory.filter_counts[f]}, memory.pictures + vector * kWidth, plan.run_offsets + run, run_floats,
            to + f * floats);
    }
  });
}

inline void add_input_gradient(const SparsePlan& plan, int64_t images, const SparseMemory& memory) {
  const int64_t blocks = plan.blocks(), run_floats = plan.runs.vectors * kWidth;
  for (int64_t block = 0; block < blocks; ++block) {
    visit_vectors(plan.runs, kTileVectors, [&](int64_t vector, int64_t vectors) {
      const AddWeights add = add_weights_of(vectors);
      for (int64_t run = 0; run < plan.runs.count; ++run) {
        const float* weights = plan.weights + run * run_floats + vector * kWidth;
        float* to = memory.gradients + plan.run_offsets[run] + vector * kWidth;
        for (int64_t window = 0; window < images * plan.windows; ++window) {
          const int64_t list = (window * blocks + block) * plan.cells;
          float* at = to + window / plan.windows * plan.padded.floats + plan.window_offsets[window % plan.windows];
          for (int64_t cell = 0; cell < plan.cells; ++cell) {
            const int64_t count = memory.cell_counts[list + cell];
            if (count > 0) add({memory.of_cells + (list + cell) * kBlockFilters, count}, weights, at + plan.cell_offsets[cell]);
          }
        }
      }
    });
  }
}

template <typename Number>
void sparse_task(const SparsePlan& plan, const BlockArguments<Number>& a, const BlockGradients<Number>& result, int64_t slice, Workers& workers) {
  const ConvolutionGeometry& g = plan.g;
  const int64_t filters = g.out_channels, floats = plan.filter_floats(), bias_floats = divide_up(filters, kWidth) * kWidth;
  const int64_t picture = volume_of(g.in) * g.in_channels;
  Layout size;
  take_sparse_memory(plan, size);
  Layout layout(workers.scratch(0, size.bytes()));
  const SparseMemory memory = take_sparse_memory(plan, layout);
  float* sums = result.dw ? plan.sums + slice * filters * floats : nullptr;
  float* bias_sums = plan.bias_sums + slice * bias_floats;
  std::memset(bias_sums, 0, static_cast<size_t>(bias_floats) * sizeof(float));
  if (result.dw) {
    std::memset(sums, 0, static_cast<size_t>(filters * floats) * sizeof(float));
    std::memset(memory.pictures, 0, static_cast<size_t>(plan.group_floats()) * sizeof(float));
  }
  const int64_t begin = g.batch * slice / plan.slices, end = g.batch * (slice + 1) / plan.slices;
  bool finite = true;
  for (int64_t first = begin; first < end; first += plan.images) {
    const int64_t images = smaller(plan.images, end - first);
    if (result.dw) std::memset(memory.filter_counts, 0, static_cast<size_t>(filters) * sizeof(int64_t));
    for (int64_t i = 0; i < images; ++i) {
      if (result.dw) finite = copy_picture(g, plan.padded, a.x + (first + i) * picture, memory.pictures + i * plan.padded.floats) && finite;
      for (int64_t window = 0; window < plan.windows; ++window) {
        const int64_t at = ((first + i) * plan.windows + window) * filters;
        const uint8_t* winner = a.winner + at;
        finite = take_values(a, filters, at, memory.values, bias_sums) && finite;
        if (result.dw) list_of_filters(plan, memory.values, winner, i * plan.padded.floats + plan.window_offsets[window], memory);
        if (result.dx) list_of_cells(plan, memory.values, winner, i * plan.windows + window, memory);
      }
    }
    if (result.dw) add_kernel_gradient(plan, memory, sums);
    if (!result.dx) continue;
    std::memset(memory.gradients, 0, static_cast<size_t>(images * plan.padded.floats + kWidth) * sizeof(float));
    add_input_gradient(plan, images, memory);
    for (int64_t i = 0; i < images; ++i)
      for_pixel_rows(g, plan.padded, [&](int64_t to, int64_t from) {
        copy_row(memory.gradients + i * plan.padded.floats + from, g.in[2] * g.in_channels, result.dx + (first + i) * picture + to);
      });
  }
  if (!finite) __atomic_store_n(plan.strange, 1, __ATOMIC_RELAXED);
}

inline void take_sparse_tables(SparsePlan& plan, bool by_input, bool by_kernel, Layout& memory) {
  const int64_t filters = plan.g.out_channels;
  plan.run_offsets = memory.take<int64_t>(plan.runs.count);
  plan.window_offsets = memory.take<int32_t>(plan.windows);
  plan.cell_offsets = memory.take<int32_t>(kMostCells);
  plan.strange = memory.take<int>(1);
  plan.weights = by_input ? memory.take<float>(filters * plan.filter_floats()) : nullptr;
  plan.sums = by_kernel ? memory.take<float>(plan.slices * filters * plan.filter_floats()) : nullptr;
  plan.bias_sums = memory.take<float>(plan.slices * divide_up(filters, kWidth) * kWidth);
}

inline void fill_sparse_tables(const SparsePlan& plan) {
  const ConvolutionGeometry& g = plan.g;
  const PoolingGeometry& pooling = plan.pooling;
  place_runs(g, plan.padded, plan.runs, const_cast<int64_t*>(plan.run_offsets));
  const auto offset = [&](int64_t o0, int64_t o1, int64_t o2) {
    return static_cast<int32_t>(((o0 * g.stride[0] * plan.padded.size[1] + o1 * g.stride[1]) * plan.padded.size[2] + o2 * g.stride[2]) * g.in_channels);
  };
  auto* windows = const_cast<int32_t*>(plan.window_offsets);
  for (int64_t p0 = 0; p0 < pooling.out[0]; ++p0)
    for (int64_t p1 = 0; p1 < pooling.out[1]; ++p1)
      for (int64_t p2 = 0; p2 < pooling.out[2]; ++p2) *windows++ = offset(p0 * pooling.size[0], p1 * pooling.size[1], p2 * pooling.size[2]);
  auto* cells = const_cast<int32_t*>(plan.cell_offsets);
  std::memset(cells, 0, kMostCells * sizeof(int32_t));
  for (int64_t c0 = 0; c0 < pooling.size[0]; ++c0)
    for (int64_t c1 = 0; c1 < pooling.size[1]; ++c1)
      for (int64_t c2 = 0; c2 < pooling.size[2]; ++c2) *cells++ = offset(c0, c1, c2);
  *plan.strange = 0;
}

// Returns whether every number was finite; the results count only then.
template <typename Number>
bool sparse_gradient(SparsePlan plan, const BlockArguments<Number>& a, const BlockGradients<Number>& result, Workers& workers) {
  const int64_t filters = plan.g.out_channels, parts = divide_up(filters, kFiltersTogether);
  Layout size;
  SparsePlan counted = plan;
  take_sparse_tables(counted, result.dx, result.dw, size);
  Layout memory(workers.shared(size.bytes()));
  take_sparse_tables(plan, result.dx, result.dw, memory);
  fill_sparse_tables(plan);
  if (result.dx) {
    workers.run(static_cast<int>(parts), [&](int part) {
      const int64_t first = part * kFiltersTogether;
      if (!pack_filters(plan, a.w, first, smaller(first + kFiltersTogether, filters))) __atomic_store_n(plan.strange, 1, __ATOMIC_RELAXED);
    });
  }
  workers.run(static_cast<int>(plan.slices), [&](int slice) { sparse_task(plan, a, result, slice, workers); });
  if (*plan.strange) return false;
  if (result.dw) {
    workers.run(static_cast<int>(parts), [&](int part) {
      const int64_t first = part * kFiltersTogether;
      finish_filters(plan, first, smaller(first + kFiltersTogether, filters), result.dw, workers);
    });
  }
  if (result.dbias) add_slices(plan.bias_sums, plan.slices, divide_up(filters, kWidth) * kWidth, filters, result.dbias);
  return true;
}

// Few input channels leave no vectors of taps to fill, but all taps fit the registers. So the gradient of a strip of windows is
// spread out in the first-level cache and meets the taps there, as in the gradient of a convolution alone.
struct StripPlan {
  ConvolutionGeometry g;
  Padded padded;
  Blocks blocks;
  int64_t windows, cells, slices;
  const int64_t* places;  // of every cell of every window, in the padded picture
  const Row* rows;
  float *sums, *bias_sums;  // slice × blocks; slice × filters
  int* strange;

  int64_t filters() const { return divide_up(g.out_channels, kWidth) * kWidth; }
  int64_t together(int64_t block) const { return larger(1, kStrip * kVectors / blocks.width(block) / cells); }
};

constexpr int64_t kMostStripRows = 64;

inline bool strips_win(const ConvolutionGeometry& g) {
  return g.groups == 1 && volume_of(g.kernel) * g.in_channels <= kMostStripRows && padded_picture(g).floats * 4 <= kMostPictureBytes;
}

inline void take_strip_tables(StripPlan& plan, Layout& memory) {
  plan.places = memory.take<int64_t>(plan.windows * plan.cells);
  plan.rows = memory.take<Row>(plan.blocks.rows);
  plan.sums = memory.take<float>(plan.slices * plan.blocks.size());
  plan.bias_sums = memory.take<float>(plan.slices * plan.filters());
  plan.strange = memory.take<int>(1);
}

inline void fill_strip_tables(const StripPlan& plan, const PoolingGeometry& pooling) {
  const ConvolutionGeometry& g = plan.g;
  const auto place = [&](int64_t i0, int64_t i1, int64_t i2) { return ((i0 * plan.padded.size[1] + i1) * plan.padded.size[2] + i2) * g.in_channels; };
  auto* places = const_cast<int64_t*>(plan.places);
  for (int64_t window = 0; window < plan.windows; ++window)
    for (int64_t cell = 0; cell < plan.cells; ++cell) {
      const int64_t c2 = cell % pooling.size[2], c1 = cell / pooling.size[2] % pooling.size[1], c0 = cell / (pooling.size[2] * pooling.size[1]);
      const int64_t p2 = window % pooling.out[2], p1 = window / pooling.out[2] % pooling.out[1], p0 = window / (pooling.out[2] * pooling.out[1]);
      *places++ = place((p0 * pooling.size[0] + c0) * g.stride[0], (p1 * pooling.size[1] + c1) * g.stride[1], (p2 * pooling.size[2] + c2) * g.stride[2]);
    }
  auto* rows = const_cast<Row*>(plan.rows);
  for (int64_t row = 0; row < plan.blocks.rows; ++row) {
    const int64_t tap = row / g.in_channels, k2 = tap % g.kernel[2], k1 = tap / g.kernel[2] % g.kernel[1], k0 = tap / (g.kernel[2] * g.kernel[1]);
    rows[row] = {place(k0 * g.dilation[0], k1 * g.dilation[1], k2 * g.dilation[2]) + row % g.in_channels, row};
  }
  *plan.strange = 0;
}

// values and winners have whole vectors; packed: cells × vectors of the block.
inline void spread_window(const float* values, const uint8_t* winner, int64_t cells, int vectors, float* packed) {
  using V = pooling::Lanes<kWidth>;
  for (int v = 0; v < vectors; ++v) {
    const V::Floats value = V::load(values + v * kWidth);
    const V::Integers number = winner ? V::load_index(winner + v * kWidth) : V::Integers{};
    for (int64_t cell = 0; cell < cells; ++cell)
      V::store(packed + (cell * vectors + v) * kWidth, number == static_cast<int32_t>(cell) ? value : V::Floats{});
  }
}

template <typename Number>
void strip_task(const StripPlan& plan, const BlockArguments<Number>& a, int64_t slice, Workers& workers) {
  const ConvolutionGeometry& g = plan.g;
  const int64_t filters = g.out_channels, whole = plan.filters(), picture = volume_of(g.in) * g.in_channels;
  auto* padded = static_cast<float*>(workers.scratch(0, static_cast<size_t>(plan.padded.floats) * sizeof(float)));
  auto* values = static_cast<float*>(workers.scratch(1, static_cast<size_t>(plan.windows * whole) * sizeof(float)));
  auto* packed = static_cast<float*>(workers.scratch(2, static_cast<size_t>(larger(kStrip, plan.cells) * kVectors * kWidth) * sizeof(float)));
  auto* winners = static_cast<uint8_t*>(workers.scratch(3, static_cast<size_t>(plan.windows * whole)));
  float *sums = plan.sums + slice * plan.blocks.size(), *bias_sums = plan.bias_sums + slice * whole;
  std::memset(padded, 0, static_cast<size_t>(plan.padded.floats) * sizeof(float));
  std::memset(values, 0, static_cast<size_t>(plan.windows * whole) * sizeof(float));
  std::memset(winners, 0, static_cast<size_t>(plan.windows * whole));
  std::memset(sums, 0, static_cast<size_t>(plan.blocks.size()) * sizeof(float));
  std::memset(bias_sums, 0, static_cast<size_t>(whole) * sizeof(float));
  bool finite = true;
  for (int64_t image = g.batch * slice / plan.slices; image < g.batch * (slice + 1) / plan.slices; ++image) {
    copy_picture(g, plan.padded, a.x + image * picture, padded);
    for (int64_t window = 0; window < plan.windows; ++window) {
      const int64_t at = (image * plan.windows + window) * filters;
      finite = take_values(a, filters, at, values + window * whole, bias_sums) && finite;
      if (a.winner) std::memcpy(winners + window * whole, a.winner + at, static_cast<size_t>(filters));
    }
    for (int64_t block = 0; block < plan.blocks.count(); ++block) {
      const int vectors = plan.blocks.width(block);
      for (int64_t first = 0; first < plan.windows; first += plan.together(block)) {
        const int64_t count = smaller(plan.together(block), plan.windows - first);
        for (int64_t i = 0; i < count; ++i) {
          const int64_t from = (first + i) * whole + block * kVectors * kWidth;
          spread_window(values + from, a.winner ? winners + from : nullptr, plan.cells, vectors, packed + i * plan.cells * vectors * kWidth);
        }
        add_strip(vectors, {padded, plan.places + first * plan.cells, packed, count * plan.cells}, plan.rows, plan.blocks.rows,
                  sums + plan.blocks.start(block));
      }
    }
  }
  if (!finite) __atomic_store_n(plan.strange, 1, __ATOMIC_RELAXED);
}

// By kernel and bias; returns whether every number that reaches them was finite.
template <typename Number>
bool strip_gradient(const ConvolutionGeometry& g, const PoolingGeometry& pooling, const BlockArguments<Number>& a,
                    const BlockGradients<Number>& result,
                           Workers& workers) {
  StripPlan plan{g, padded_picture(g), Blocks(g.out_channels, volume_of(g.kernel) * g.in_channels), volume_of(pooling.out), volume_of(pooling.size),
                 smaller(g.batch, kMostSlices), {}, {}, {}, {}, {}};
  Layout size;
  take_strip_tables(plan, size);
  Layout memory(workers.shared(size.bytes()));
  take_strip_tables(plan, memory);
  fill_strip_tables(plan, pooling);
  workers.run(static_cast<int>(plan.slices), [&](int slice) { strip_task(plan, a, slice, workers); });
  if (*plan.strange) return false;
  for (int64_t row = 0; result.dw && row < plan.blocks.rows; ++row)
    for (int64_t block = 0; block < plan.blocks.count(); ++block) {
      const int64_t width = plan.blocks.width(block) * kWidth, channel = block * kVectors * kWidth;
      add_slices(plan.sums + plan.blocks.start(block) + row * width, plan.slices, plan.blocks.size(), smaller(width, g.out_channels - channel),
                 result.dw + row * g.out_channels + channel);
    }
  if (result.dbias) add_slices(plan.bias_sums, plan.slices, plan.filters(), g.out_channels, result.dbias);
  return true;
}

inline float number_at(const float* from) { return *from; }
inline float number_at(const Bfloat16* from) { return widened(*from); }

// The gradient that reaches the convolution, written out: for one picture.
template <typename Number>
void spread_block(const PoolingGeometry& pooling, const BlockArguments<Number>& a, int64_t image, Number* to) {
  int64_t cells[kMostCells];
  const int64_t count = list_cells(pooling, cells), from = image * volume_of(pooling.out) * pooling.channels;
  for_windows(pooling, [&](int64_t window, int64_t first) {
    pooling::for_channels(pooling.channels, [&](auto vector, int64_t channel) {
      using V = decltype(vector);
      const int64_t at = from + window * pooling.channels + channel;
      typename V::Floats value = V::load(a.dy + at);
      if (a.relu) value = V::load(a.y + at) > typename V::Floats{} ? value : typename V::Floats{};
      if (!a.winner) return V::store(to + first + channel, value);
      const typename V::Integers winner = V::load_index(a.winner + at);
      for (int64_t k = 0; k < count; ++k)
        V::store(to + first + channel + cells[k], winner == static_cast<int32_t>(k) ? value : typename V::Floats{});
    });
  });
}

template <typename Number>
void plain_gradient(const ConvolutionGeometry& g, PoolingGeometry pooling, const BlockArguments<Number>& a, const BlockGradients<Number>& result,
                           Workers& workers) {
  const Number* dy = a.dy;
  const int64_t image = volume_of(g.out) * g.out_channels;
  if (a.winner || a.relu) {
    auto* spread = static_cast<Number*>(workers.shared(static_cast<size_t>(g.batch * image) * sizeof(Number)));
    pooling.batch = 1;
    for (int i = 0; i < 3; ++i) pooling.in[i] = g.out[i];
    workers.run(static_cast<int>(g.batch), [&](int n) { spread_block(pooling, a, n, spread + n * image); });
    dy = spread;
  }
  if (result.dx) convolution_input_gradient(g, dy, a.w, result.dx, workers);
  if (result.dw) return convolution_kernel_gradient(g, a.x, dy, result.dw, result.dbias, workers);
  if (!result.dbias) return;
  std::memset(result.dbias, 0, static_cast<size_t>(g.out_channels) * sizeof(float));
  for (int64_t at = 0; at < g.batch * volume_of(g.out); ++at)
    for (int64_t f = 0; f < g.out_channels; ++f) result.dbias[f] += number_at(dy + at * g.out_channels + f);
}

// Lists in float32 for bfloat16 pictures too: all products in AMX tiles, with the gradient written out, took 3.2 ms instead of 2.9 for the
// second convolution of the lecture convnet at batch 128, one core.
template <typename Number>
void block_gradient(const ConvolutionGeometry& given, const PoolingGeometry& pooling, const Number* x, const float* w, const uint8_t* winner,
                    const Number* y, const Number* dy, bool relu, Number* dx, float* dw, float* dbias, Workers& workers) {
  const ConvolutionGeometry g = reached(given, pooling);
  const BlockArguments<Number> arguments{x, w, winner, y, dy, relu};
  const BlockGradients<Number> result{dx, dw, dbias};
  if (!is_depthwise(g)) {
    const SparsePlan plan = plan_sparse(g, pooling);
    if (sparse_wins(plan)) {
      if (sparse_gradient(plan, arguments, result, workers)) return;
    } else if (!dx && strips_win(g) && strip_gradient(g, pooling, arguments, result, workers)) {
      return;
    }
  }
  plain_gradient(g, pooling, arguments, result, workers);
}

}  // namespace convista::CONVISTA_TARGET
