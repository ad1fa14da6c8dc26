// Forward convolution and the gradient by the input, of stacks of pictures in three bfloat16 parts.
#pragma once
#include "residue_classes.h"
#include "split_cells.h"
#include "split_stack.h"

namespace convista::CONVISTA_TARGET {

// A cell of a stack: for every 32 channels its parts, each two tiles of 16 pictures.
constexpr int64_t kStackTile = kParts * 2 * kTileSize;

struct SplitJob : SplitWeights {
  int64_t window[3];  // positions along each axis of whose sums the largest is kept; 1 where all are
  StackCut cut;
  int64_t rows;     // of windows that are done together, so that their weights are read once
  int64_t portion;  // depth tiles that are done together, so that they and their weights stay in the second-level cache

  int lead() const { return leading_axis(gather); }
  int64_t cells() const { return window[0] * window[1] * window[2]; }  // of a window
  int64_t window_rows() const { return gather.axis[lead()].positions / window[lead()]; }
  // Where weights come in portions, the rows fill the second-level cache: with those of the next block 7² 512→512 took a tenth longer.
  bool splits_ahead() const { return portion == depth_tiles(); }
  int64_t windows_of_row() const { return positions_of_row(gather, lead()) * window[lead()] / larger(1, cells()); }
};

constexpr int64_t kPositionsOfStack = 8;  // 256 rows of a matrix

// Two tasks a thread: every band more splits the rows at its edges twice. With eight tasks on two threads the lecture
// convnet's second and third convolutions took 15 to 25 % longer; one thread needs no bands. How it is cut changes no sum.
inline SplitJob split_job(const Gather& gather, const int64_t (&window)[3], int64_t threads) {
  SplitJob job{{gather, nullptr}, {window[0], window[1], window[2]}, {}, 1, 1};
  const GatherAxis& axis = gather.axis[job.lead()];
  const int64_t step = axis.source_step * window[job.lead()], edge = divide_up((axis.taps - 1) * axis.tap_step, step);
  job.cut = cut_stacks(gather.batch, job.window_rows(), edge, gather.target_channels, threads > 1 ? 2 * threads : 1);
  job.portion = job.depth_tiles();
  if (job.stays()) return job;
  job.portion = job.depth_of_portion();
  job.rows = between(1, divide_up(kPositionsOfStack, larger(1, job.windows_of_row() * job.cells())), larger(1, job.window_rows()));
  return job;
}

constexpr int64_t kNoWindow[3] = {1, 1, 1};

// However the rows are cut into tasks, the same ones are looked at for numbers that cannot be split.
inline bool row_is_read(const GatherAxis& axis, int64_t row) {
  for (int64_t tap = 0; tap < axis.taps; ++tap) {
    const int64_t at = row - axis.source_start - tap * axis.tap_step;
    if (at >= 0 && at % axis.source_step == 0 && at / axis.source_step < axis.positions) return true;
  }
  return false;
}

// Rows of cells of a stack's pictures; a picture's place in a tile is one of its rows.
inline int64_t list_rows_of_cells(const Gather& gather, int lead, const Stack& stack, Range rows, const Ring& ring, SplitCell* to) {
  const int64_t cells = cells_of_row(gather, lead);
  const SplitCell* begin = to;
  for (int64_t row = rows.begin; row < rows.end; ++row)
    for (int64_t image = 0; image < stack.images && row_is_read(gather.axis[lead], row); ++image) {
      const float* from = stack.source + image * gather.source_image() + row * cells * gather.source_channels;
      Bfloat16* place = ring.row(row) + image * kDepth;
      for (int64_t cell = 0; cell < cells; ++cell) *to++ = {from + cell * gather.source_channels, place + cell * ring.cell_size};
    }
  return to - begin;
}

// The taps that a position sees, with depth tiles begin … end − 1. `runs` has room for all taps.
inline TileRun* list_tile_runs(const SplitJob& job, int lead, const Ring& ring, const Place& place, Range depth, TileRun* runs) {
  const Gather& gather = job.gather;
  Segment seen[3];
  for (int i = 0; i < 3; ++i) seen[i] = taps_at(gather.axis[i], place.at[i]);
  const int64_t tiles = job.depth_tiles(), steps = depth.end - depth.begin, width = seen[2].tap_end - seen[2].tap_begin;
  const int64_t together = lead < 2 && gather.axis[2].tap_step == 1 && steps == tiles ? larger(1, width) : 1;
  for (int64_t t0 = seen[0].tap_begin; t0 < seen[0].tap_end; ++t0)
    for (int64_t t1 = seen[1].tap_begin; t1 < seen[1].tap_end; ++t1)
      for (int64_t t2 = seen[2].tap_begin; t2 < seen[2].tap_end; t2 += together) {
        const int64_t tap = (t0 * gather.axis[1].taps + t1) * gather.axis[2].taps + t2;
        *runs++ = {ring_offset(gather, lead, ring, place, {t0, t1, t2}) + depth.begin * kStackTile, (tap * tiles + depth.begin) * kWeightTile,
                   together * steps};
      }
  return runs;
}

struct SplitCall {
  const float* source;
  const float* bias;
  bool relu;
  float* target;
  uint8_t* winner;  // of each window, or null
};

// Two column tiles of the same position of a stack's pictures.
template <bool Bias, bool Relu>
inline void finish_stack(const float* sums, int64_t images, int64_t image_size, const float* bias, int64_t channels, float* to, Strange& strange) {
  for (int64_t i = 0; i < channels; i += kWidth) {
    const int lanes = static_cast<int>(smaller(kWidth, channels - i));
    const Vector add = Bias ? load_lanes(bias + i, lanes) : Vector{};
    for (int64_t image = 0; image < images; ++image) {
      Vector value = load(sums + image * kSumsRow + i);
      strange.see(value);
      if constexpr (Bias) value += add;
      if constexpr (Relu) value = relu_of(value);
      store_lanes(to + image * image_size + i, value, lanes);
    }
  }
}

inline void finish_stack(const SplitCall& call, const float* sums, int64_t images, int64_t image_size, int64_t channel, int64_t channels, float* to,
                         Strange& strange) {
  const float* bias = call.bias ? call.bias + channel : nullptr;
  if (bias) {
    return call.relu ? finish_stack<true, true>(sums, images, image_size, bias, channels, to, strange)
                     : finish_stack<true, false>(sums, images, image_size, bias, channels, to, strange);
  }
  call.relu ? finish_stack<false, true>(sums, images, image_size, bias, channels, to, strange)
            : finish_stack<false, false>(sums, images, image_size, bias, channels, to, strange);
}

inline void store_bytes(uint8_t* to, Lanes numbers, int lanes) {
  typedef uint8_t Bytes __attribute__((vector_size(kWidth)));
  const Bytes bytes = __builtin_convertvector(numbers, Bytes);
  std::memcpy(to, &bytes, static_cast<size_t>(lanes));
}

// The largest sum of each window's cells, with its bias: the first of the largest wins, as in pool_block. `at` is the
// first picture's place in y and in the winners.
inline void pool_stack(const SplitCall& call, const float* sums, int64_t cells, int64_t images, int64_t image_size, int64_t channel,
                       int64_t channels, int64_t at, Strange& strange) {
  for (int64_t i = 0; i < channels; i += kWidth) {
    const int lanes = static_cast<int>(smaller(kWidth, channels - i));
    const Vector bias = load_lanes(call.bias + channel + i, lanes);
    for (int64_t image = 0; image < images; ++image) {
      const float* from = sums + image * kSumsRow + i;
      Vector best = load(from);
      strange.see(best);
      Lanes number{};
      for (int64_t cell = 1; cell < cells; ++cell) {
        const Vector value = load(from + cell * kSums);
        strange.see(value);
        const Lanes larger = value > best;
        best = larger ? value : best;
        number = larger ? Lanes{} + static_cast<int32_t>(cell) : number;
      }
      best += bias;
      const int64_t to = at + image * image_size + i;
      store_lanes(call.target + to, call.relu ? relu_of(best) : best, lanes);
      if (call.winner) store_bytes(call.winner + to, number, lanes);
    }
  }
}

// What a task works on: rows of windows of one stack, some pairs of column tiles.
struct SplitTask {
  int64_t first_image;
  Stack stack;
  Range rows, pairs;
};

inline SplitTask split_task(const SplitJob& job, const SplitCall& call, int64_t number) {
  const Gather& gather = job.gather;
  const StackCut& cut = job.cut;
  const int64_t part = number % cut.parts, band = number / cut.parts % cut.bands, first = number / (cut.parts * cut.bands) * kStack;
  return {first, {call.source + first * gather.source_image(), smaller(kStack, gather.batch - first)},
          even_part(job.window_rows(), band, cut.bands), even_part(divide_up(job.column_tiles(), 2), part, cut.parts)};
}

// What vectors do while tiles multiply: they split the next rows of cells.
struct RowSplitting {
  CellSplitter& splitter;
  int64_t splits;  // a step
  void operator()() { splitter.some(splits); }
};

// What all windows of a block of rows share.
struct SplitBlock {
  const SplitJob& job;
  const SplitCall& call;
  const SplitTask& task;
  const Ring& ring;
  Range rows;
  TileRun* runs;
  float* sums;  // of the cells of one window, or of all windows
  RowSplitting splitting;
  Strange& strange;

  Place window(int64_t number) const {
    Place place{};
    for (int i = 2; i > job.lead(); --i) {
      const int64_t windows = job.gather.axis[i].positions / job.window[i];
      place.at[i] = number % windows, number /= windows;
    }
    place.at[job.lead()] = rows.begin + number;
    return place;
  }
};

inline Place cell_of(const SplitJob& job, const Place& window, int64_t cell) {
  Place place{};
  for (int i = 2; i >= 0; --i) place.at[i] = window.at[i] * job.window[i] + cell % job.window[i], cell /= job.window[i];
  return place;
}

inline void multiply_window(SplitBlock& block, const Place& window, int64_t pair, Range depth, float* sums) {
  const SplitJob& job = block.job;
  for (int64_t cell = 0; cell < job.cells(); ++cell) {
    const TileRun* end = list_tile_runs(job, job.lead(), block.ring, cell_of(job, window, cell), depth, block.runs);
    multiply_runs({block.ring.numbers, job.packed + 2 * pair * job.column_size(), kStackTile, kWeightTile, kTileSize, job.column_size(),
                   2 * kTileSize, kTileSize, kDepth, block.runs, end, sums + cell * kSums, depth.begin > 0},
                  block.task.stack.images > kTile, 2 * pair + 1 < job.column_tiles(), block.splitting);
  }
}

inline void finish_window(const SplitBlock& block, const Place& window, int64_t pair, const float* sums) {
  const SplitJob& job = block.job;
  const Gather& gather = job.gather;
  const int64_t channel = pair * kSumsRow, channels = smaller(kSumsRow, gather.target_channels - channel), images = block.task.stack.images;
  if (job.cells() == 1) {
    float* target = block.call.target + block.task.first_image * gather.target_image() + target_of(gather, window) + channel;
    return finish_stack(block.call, sums, images, gather.target_image(), channel, channels, target, block.strange);
  }
  int64_t number = 0, windows = 1;
  for (int i = 0; i < 3; ++i) {
    const int64_t along = gather.axis[i].positions / job.window[i];
    number = number * along + window.at[i], windows *= along;
  }
  const int64_t image_size = windows * gather.target_channels, at = block.task.first_image * image_size + number * gather.target_channels + channel;
  pool_stack(block.call, sums, job.cells(), images, image_size, channel, channels, at, block.strange);
}

// Weights that stay in the second-level cache meet one window after the other, so that each writes all its channels at once; others one
// column pair and one portion after the other.
inline void multiply_rows(SplitBlock& block) {
  const SplitJob& job = block.job;
  const int64_t windows = (block.rows.end - block.rows.begin) * job.windows_of_row(), tiles = job.depth_tiles(), size = job.cells() * kSums;
  const Range pairs = block.task.pairs;
  if (job.portion == tiles) {
    for (int64_t number = 0; number < windows; ++number)
      for (int64_t pair = pairs.begin; pair < pairs.end; ++pair) {
        multiply_window(block, block.window(number), pair, {0, tiles}, block.sums);
        finish_window(block, block.window(number), pair, block.sums);
      }
    return;
  }
  for (int64_t pair = pairs.begin; pair < pairs.end; ++pair) {
    for (int64_t depth = 0; depth < tiles; depth += job.portion)
      for (int64_t number = 0; number < windows; ++number)
        multiply_window(block, block.window(number), pair, {depth, smaller(depth + job.portion, tiles)}, block.sums + number * size);
    for (int64_t number = 0; number < windows; ++number) finish_window(block, block.window(number), pair, block.sums + number * size);
  }
}

// Rows of cells that no row of windows before has seen.
inline Range new_rows(const SplitJob& job, Range rows, int64_t split_up_to) {
  const int64_t height = job.window[job.lead()];
  Range wanted = rows_seen(job.gather.axis[job.lead()], rows.begin * height, rows.end * height);
  wanted.begin = larger(wanted.begin, split_up_to), wanted.end = larger(wanted.begin, wanted.end);
  return wanted;
}

// The ring has the rows that two blocks see, if the second's are split ahead.
inline Ring ring_of(const SplitJob& job) {
  const int64_t height = job.rows * job.window[job.lead()], cells = cells_of_row(job.gather, job.lead());
  const int64_t rows = most_rows_seen(job.gather.axis[job.lead()], job.splits_ahead() ? 2 * height : height);
  const int64_t cell_size = job.depth_tiles() * kStackTile;
  return {nullptr, rows, cells * cell_size, cell_size};
}

inline int64_t ring_bytes(const SplitJob& job) {
  const Ring ring = ring_of(job);
  return ring.rows * ring.row_size * static_cast<int64_t>(sizeof(Bfloat16));
}

struct SplitMemory {
  Ring ring;
  SplitCell* cells;
  TileRun* runs;
  float* sums;
};

inline SplitMemory split_memory(const SplitJob& job, Workers& workers) {
  const Gather& gather = job.gather;
  SplitMemory memory{ring_of(job), nullptr, nullptr, nullptr};
  memory.ring.numbers = static_cast<Bfloat16*>(workers.scratch(0, static_cast<size_t>(ring_bytes(job))));
  const int64_t cells = most_rows_seen(gather.axis[job.lead()], job.rows * job.window[job.lead()]) * cells_of_row(gather, job.lead());
  const int64_t windows = job.portion < job.depth_tiles() ? job.rows * job.windows_of_row() : 1;
  const auto take = [&](Layout& layout) {
    memory.cells = layout.take<SplitCell>(cells * kStack);
    memory.runs = layout.take<TileRun>(larger(1, gather.taps()));
    memory.sums = layout.take<float>(windows * job.cells() * kSums);
  };
  Layout size;
  take(size);
  Layout layout(workers.scratch(1, size.bytes()));
  take(layout);
  return memory;
}

inline void split_gather_task(const SplitJob& job, const SplitCall& call, int64_t number, Flag& strange, Workers& workers) {
  const SplitTask task = split_task(job, call, number);
  const SplitMemory memory = split_memory(job, workers);
  Strange seen;
  CellSplitter splitter(job.gather.source_channels, 2 * kTileSize, kStackTile, seen);
  int64_t split_up_to = 0;
  const auto begin_rows = [&](Range rows) {
    const Range wanted = new_rows(job, rows, split_up_to);
    split_up_to = wanted.end;
    splitter.begin(memory.cells, list_rows_of_cells(job.gather, job.lead(), task.stack, wanted, memory.ring, memory.cells));
  };
  const auto rows_from = [&](int64_t row) { return Range{row, smaller(row + job.rows, task.rows.end)}; };
  const TileRegisters registers;
  for (Range rows = rows_from(task.rows.begin); rows.begin < rows.end; rows = rows_from(rows.end)) {
    if (rows.begin == task.rows.begin || !job.splits_ahead()) begin_rows(rows), splitter.rest();
    if (rows.end < task.rows.end && job.splits_ahead()) begin_rows(rows_from(rows.end));
    const int64_t windows = (rows.end - rows.begin) * job.windows_of_row() * job.cells() * (task.pairs.end - task.pairs.begin);
    const int64_t each = divide_up(splitter.steps(), larger(1, windows * job.gather.taps() * job.depth_tiles()));
    SplitBlock block{job, call, task, memory.ring, rows, memory.runs, memory.sums, {splitter, each}, seen};
    multiply_rows(block);
    splitter.rest();
  }
  if (seen.seen()) strange.raise();
}

// The largest sum of each window, where there are windows. Returns false, and y is not to be used, where a number cannot be split.
inline bool split_forward(const ConvolutionGeometry& g, const int64_t (&window)[3], const SplitCall& call, const float* w, Workers& workers) {
  SplitJob job = split_job(forward_gather(g), window, workers.threads());
  job.packed = weight_memory(job.size(), workers);
  Flag strange;
  workers.run(static_cast<int>(job.tasks()), [&](int task) { pack_split_forward(job, w, task, strange); });
  if (strange.raised()) return false;
  workers.run(static_cast<int>(job.cut.tasks()), [&](int task) { split_gather_task(job, call, task, strange, workers); });
  return !strange.raised();
}

// One class of the stride after the other: each is a whole picture's worth of work.
inline bool split_input_gradient(const ConvolutionGeometry& g, const float* dy, const float* w, float* dx, Workers& workers) {
  const int64_t classes = residue_classes(g);
  int64_t weights = 0;
  for (int64_t i = 0; i < classes; ++i) weights = larger(weights, split_job(class_gather(g, i), kNoWindow, workers.threads()).size());
  Bfloat16* packed = weight_memory(weights, workers);
  const SplitCall call{dy, nullptr, false, dx, nullptr};
  Flag strange;
  for (int64_t i = 0; i < classes && !strange.raised(); ++i) {
    SplitJob job = split_job(class_gather(g, i), kNoWindow, workers.threads());
    if (job.gather.positions() == 0) continue;
    job.packed = packed;
    workers.run(static_cast<int>(job.tasks()), [&](int task) { pack_split_transposed(job, g.kernel, w, task, strange); });
    workers.run(static_cast<int>(job.cut.tasks()), [&](int task) { split_gather_task(job, call, task, strange, workers); });
  }
  return !strange.raised();
}

}  // namespace convista::CONVISTA_TARGET
