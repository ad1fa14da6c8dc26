// Pictures as lines of cells: the rows of a product are 32 neighbouring cells of a line, whatever row of the picture they lie in.
//
// Every picture gets a border wide enough for all taps, and then one row of cells follows the other. So each tap of each position is the same
// number of cells away, and a tile of 16 positions is a tile of 16 cells, read where it lies: nothing is copied tap by tap. What positions
// in the border come to is thrown away. A stride reads every second cell, so the cells of each residue make a line of their own; the
// gradient by the input writes every second one, and its residue classes share one line.
//
// Vectors split the next cells and write the last sums while tiles multiply, which brought 56² 64→64 from 454 to 618 GFLOP/s on two cores,
// 28² 128→128 from 527 to 551, 14² 256→512 1×1 from 384 to 504. Tried and lost: sums that go past the caches (ResNet-18 and a separable
// network took the same time); all weights in portions of one depth tile, which fit the first-level cache (1-D 64→64 a fifth faster, 28² and
// 56² a tenth slower); 1, 2, 8 and 16 blocks together for 4 (the same).
#pragma once
#include <limits>

#include "memory.h"
#include "residue_classes.h"
#include "split_cells.h"
#include "split_stack.h"

namespace convista::CONVISTA_TARGET {

constexpr int64_t kLineBlock = 2 * kTile;  // cells of a product
constexpr int64_t kMostLines = 16;         // lines of forward, residue classes of the gradient

// Where a tap of a position finds its cell: in which line, and how many cells further.
struct LineTap {
  int64_t line, cells;
};

struct LineClass : SplitWeights {
  LineTap* taps;
};

struct LineJob {
  LineClass classes[kMostLines];
  int64_t count;
  int64_t positions[3], low[3], cells[3], step[3];  // cells: of a picture with its border, which begins at cell `low`
  bool used[kMostLines];                            // whether a tap reads the line of this residue
  int64_t reach;                                    // cells between a position and its farthest tap
  int64_t spans, span;                              // stretches of cells that are worked through, and their length
  int64_t bands, parts;                             // tasks: of all blocks, of the target's channels
  int64_t together;                                 // blocks between two visits to the weights
  int64_t portion;                                  // depth tiles whose weights stay in the second-level cache

  const Gather& gather() const { return classes[0].gather; }
  int64_t lines() const { return step[0] * step[1] * step[2]; }
  int64_t picture() const { return cells[0] * cells[1] * cells[2]; }
  int64_t blocks_of_span() const { return divide_up(span, kLineBlock); }
  int64_t blocks() const { return spans * blocks_of_span(); }
  int64_t depth_tiles() const { return classes[0].depth_tiles(); }
  int64_t column_tiles() const { return classes[0].column_tiles(); }
  int64_t cell_bytes() const { return lines() * depth_tiles() * kParts * kDepth * static_cast<int64_t>(sizeof(Bfloat16)); }
  // The first cell of a block and the cells that it has.
  int64_t first_cell(int64_t block) const {
    const int64_t number = block / blocks_of_span();
    const int64_t start = spans == 1 ? 0 : (number / positions[0] * cells[0] + number % positions[0]) * cells[1] * cells[2];
    return start + block % blocks_of_span() * kLineBlock;
  }
  int64_t cells_of(int64_t block) const { return smaller(kLineBlock, span - block % blocks_of_span() * kLineBlock); }
  // The most cells between the first ones of two blocks, of which the second comes `number` blocks later.
  int64_t most_apart(int64_t number) const {
    number = smaller(number, blocks() - 1);
    if (spans == 1) return number * kLineBlock;
    const int64_t borders = divide_up(number, blocks_of_span()), row = cells[1] * cells[2];
    return number * kLineBlock + borders * larger(0, row - blocks_of_span() * kLineBlock) +
           divide_up(borders, positions[0]) * (cells[0] - positions[0]) * row;
  }
  // Cells that a group of blocks and the next see, and those of them that come with a group.
  int64_t ring_cells() const { return most_apart(2 * together - 1) + kLineBlock + reach; }
  int64_t most_new_cells() const { return larger(most_apart(together - 1) + kLineBlock + reach, most_apart(together)); }
};

inline int64_t shift_of(const GatherAxis& axis, int64_t tap) { return floor_divide(axis.source_start + tap * axis.tap_step, axis.source_step); }
inline int64_t residue_of(const GatherAxis& axis, int64_t tap) {
  return axis.source_start + tap * axis.tap_step - shift_of(axis, tap) * axis.source_step;
}

// Sizes of the job whose classes and count are set.
inline void measure_lines(LineJob& job) {
  job.reach = 0;
  for (int i = 0; i < 3; ++i) {
    int64_t low = 0, high = 0;
    bool any = false;
    job.positions[i] = 0, job.step[i] = job.gather().axis[i].source_step;
    for (int64_t number = 0; number < job.count; ++number) {
      const GatherAxis& axis = job.classes[number].gather.axis[i];
      job.positions[i] = larger(job.positions[i], axis.positions);
      if (axis.taps == 0) continue;
      low = any ? smaller(low, shift_of(axis, 0)) : shift_of(axis, 0);
      high = any ? larger(high, shift_of(axis, axis.taps - 1)) : shift_of(axis, axis.taps - 1);
      any = true;
    }
    job.low[i] = low, job.cells[i] = job.positions[i] + high - low;
    job.reach = job.reach * job.cells[i] + high - low;
  }
  const bool bordered = job.reach > 0;
  job.spans = bordered ? job.gather().batch * job.positions[0] : 1;
  job.span = bordered ? (job.positions[1] - 1) * job.cells[2] + job.positions[2] : job.gather().batch * job.picture();
}

inline int64_t all_taps(const LineJob& job) {
  int64_t taps = 0;
  for (int64_t i = 0; i < job.count; ++i) taps += job.classes[i].gather.taps();
  return taps;
}

inline void place_taps(LineJob& job, LineTap* memory) {
  for (bool& used : job.used) used = false;
  for (int64_t number = 0; number < job.count; ++number) {
    LineClass& of = job.classes[number];
    const GatherAxis* axis = of.gather.axis;
    of.taps = memory, memory += of.gather.taps();
    for (int64_t tap = 0; tap < of.gather.taps(); ++tap) {
      const int64_t taps[3] = {tap / (axis[2].taps * axis[1].taps), tap / axis[2].taps % axis[1].taps, tap % axis[2].taps};
      LineTap& to = of.taps[tap] = {0, 0};
      for (int i = 0; i < 3; ++i) {
        to.line = to.line * job.step[i] + residue_of(axis[i], taps[i]);
        to.cells = to.cells * job.cells[i] + shift_of(axis[i], taps[i]) - job.low[i];
      }
      job.used[to.line] = true;
    }
  }
}

constexpr int64_t kBlocksTogether = 4, kBlocksOfPortion = 16;  // between two visits to the weights
constexpr int64_t kRingBytes = 512 * 1024;                      // of two groups of blocks, where weights come in portions

inline void plan_groups(LineJob& job) {
  job.portion = job.depth_tiles(), job.together = kBlocksTogether;
  for (int64_t i = 0; i < job.count; ++i) {
    if (job.classes[i].stays()) continue;
    job.portion = smaller(job.portion, job.classes[i].depth_of_portion());
    job.together = between(kBlocksTogether, kRingBytes / larger(1, 2 * kLineBlock * job.cell_bytes()), kBlocksOfPortion);
  }
}

inline void plan_tasks(LineJob& job, int64_t threads) {
  const int64_t tasks = threads > 1 ? 2 * threads : 1;
  job.bands = between(1, job.blocks() * kLineBlock / larger(1, 4 * job.reach), tasks);
  job.parts = between(1, divide_up(tasks, job.bands), job.gather().target_channels / 128);
  job.bands = between(1, divide_up(tasks, job.parts), job.blocks());
}

// The cells in use: cell c lies in place c modulo `cells`; the first block's worth lies behind the last cell once more.
struct LineRing {
  Bfloat16* numbers;  // lines × depth tiles × parts × cells × 32 channels
  int64_t cells;
  int64_t part() const { return (cells + kLineBlock) * kDepth; }
  int64_t step() const { return kParts * part(); }
};

// `count` neighbouring cells of one row of a picture, of the line of one residue.
inline SplitCell* list_part_of_row(const LineJob& job, const LineRing& ring, const float* source, int64_t line, int64_t cell, int64_t count,
                                  SplitCell* to) {
  const Gather& gather = job.gather();
  const int64_t row = cell / job.cells[2], image = row / (job.cells[1] * job.cells[0]);
  const int64_t at[2] = {row / job.cells[1] % job.cells[0], row % job.cells[1]};
  int64_t residue[3], rest = line, place = image;
  for (int i = 2; i >= 0; --i) residue[i] = rest % job.step[i], rest /= job.step[i];
  bool inside = image < gather.batch;
  for (int i = 0; i < 2; ++i) {
    const int64_t from = (at[i] + job.low[i]) * job.step[i] + residue[i];
    inside = inside && from >= 0 && from < gather.axis[i].source;
    place = place * gather.axis[i].source + from;
  }
  int64_t column = (cell % job.cells[2] + job.low[2]) * job.step[2] + residue[2];
  const int64_t columns = inside ? gather.axis[2].source : 0;
  Bfloat16* numbers = ring.numbers + line * job.depth_tiles() * ring.step();
  int64_t in_ring = cell % ring.cells;
  for (int64_t i = 0; i < count; ++i, column += job.step[2]) {
    const float* from = column >= 0 && column < columns ? source + (place * columns + column) * gather.source_channels : nullptr;
    *to++ = {from, numbers + in_ring * kDepth};
    if (in_ring < kLineBlock) *to++ = {from, numbers + (in_ring + ring.cells) * kDepth};
    if (++in_ring == ring.cells) in_ring = 0;
  }
  return to;
}

inline int64_t list_cells(const LineJob& job, const LineRing& ring, const float* source, int64_t begin, int64_t end, SplitCell* cells) {
  SplitCell* to = cells;
  for (int64_t cell = begin; cell < end;) {
    const int64_t last = smaller(end, cell - cell % job.cells[2] + job.cells[2]);
    for (int64_t line = 0; line < job.lines(); ++line)
      if (job.used[line]) to = list_part_of_row(job, ring, source, line, cell, last - cell, to);
    cell = last;
  }
  return to - cells;
}

// Where the sums of a block's cells belong, from the target's begin; −1 where a cell is none of the target's.
inline void list_line_targets(const LineJob& job, const Gather& gather, int64_t block, int64_t* targets) {
  const GatherAxis* axis = gather.axis;
  const int64_t first = job.first_cell(block), end = first + job.cells_of(block);
  for (int64_t cell = first; cell < end;) {
    const int64_t row = cell / job.cells[2], column = cell - row * job.cells[2], last = smaller(end, cell - column + job.cells[2]);
    const int64_t at[2] = {row / job.cells[1] % job.cells[0], row % job.cells[1]};
    int64_t place = row / (job.cells[1] * job.cells[0]);
    for (int i = 0; i < 2; ++i) place = place * axis[i].target + axis[i].target_start + at[i] * axis[i].target_step;
    place = place * axis[2].target + axis[2].target_start + column * axis[2].target_step;
    const int64_t columns = at[0] < axis[0].positions && at[1] < axis[1].positions ? axis[2].positions - column : 0;
    for (int64_t i = 0; i < last - cell; ++i)
      targets[cell - first + i] = i < columns ? (place + i * axis[2].target_step) * gather.target_channels : -1;
    cell = last;
  }
}

struct LineCall {
  const float* source;
  const float* bias;
  bool relu;
  float* target;
};

// Writes the sums of a block's cells, two column tiles, where they belong, a few at a time.
class BlockWriter {
 public:
  BlockWriter(const LineJob& job, const LineCall& call, Strange& strange)
      : call_(call), channels_(job.gather().target_channels), strange_(strange),
        floor_(fill(call.relu ? 0.0f : -std::numeric_limits<float>::infinity())) {}
  void begin(const float* sums, const int64_t* targets, int64_t count, int64_t channel) {
    sums_ = sums, target_ = targets, end_ = targets + count, first_ = channel;
    for (int i = 0; i < kVectorsOfRow; ++i) {
      lanes_[i] = static_cast<int>(between(0, channels_ - channel - i * kWidth, kWidth));
      bias_[i] = call_.bias && lanes_[i] ? load_lanes(call_.bias + channel + i * kWidth, lanes_[i]) : Vector{};
    }
  }
  void some(int64_t count) {
    const int64_t *target = target_, *last = target + smaller(count, end_ - target);
    const float* sums = sums_;
    float* const to = call_.target + first_;
    const Vector floor = floor_;
    Vector bias[kVectorsOfRow];
    for (int i = 0; i < kVectorsOfRow; ++i) bias[i] = bias_[i];
    Strange strange = strange_;
    for (; target < last; ++target, sums += kSumsRow) {
      if (*target < 0) continue;
      CONVISTA_UNROLL
      for (int i = 0; i < kVectorsOfRow; ++i) {
        if (!lanes_[i]) break;
        const Vector sum = load(sums + i * kWidth);
        strange.see(sum);
        const Vector value = sum + bias[i];
        store_lanes(to + *target + i * kWidth, value < floor ? floor : value, lanes_[i]);
      }
    }
    target_ = target, sums_ = sums, strange_ = strange;
  }
  void rest() { some(kLineBlock); }

 private:
  static constexpr int kVectorsOfRow = kSumsRow / kWidth;
  const LineCall& call_;
  int64_t channels_, first_ = 0;
  Strange& strange_;
  Vector floor_, bias_[kVectorsOfRow];
  int lanes_[kVectorsOfRow] = {};
  const float* sums_ = nullptr;
  const int64_t *target_ = nullptr, *end_ = nullptr;
};

// What vectors do while tiles multiply: they split the cells of the next blocks and write the sums of the block before.
struct Meanwhile {
  CellSplitter& splitter;
  BlockWriter& writer;
  int64_t splits, rows;  // a step
  void operator()() { splitter.some(splits), writer.some(rows); }
};

struct LineTask {
  const LineJob& job;
  const LineCall& call;
  LineRing ring;
  Range blocks, pairs;
  SplitCell* cells;
  TileRun* runs;     // of one block
  int64_t* targets;  // of the cells of the blocks that are done together
  float* sums;
  int64_t split_up_to;
};

inline const TileRun* list_line_runs(const LineTask& task, const LineClass& of, int64_t block, Range depth) {
  const LineRing& ring = task.ring;
  const int64_t tiles = task.job.depth_tiles(), first = task.job.first_cell(block);
  TileRun* run = task.runs;
  for (int64_t tap = 0; tap < of.gather.taps(); ++tap) {
    const LineTap& at = of.taps[tap];
    *run++ = {(at.line * tiles + depth.begin) * ring.step() + (first + at.cells) % ring.cells * kDepth, (tap * tiles + depth.begin) * kWeightTile,
              depth.end - depth.begin};
  }
  return run;
}

inline void multiply_line(const LineTask& task, const LineClass& of, int64_t block, int64_t pair, const TileRun* end, bool add, float* sums,
                          Meanwhile& meanwhile) {
  const LineRing& ring = task.ring;
  multiply_runs({ring.numbers, of.packed + 2 * pair * of.column_size(), ring.step(), kWeightTile, kTile * kDepth, of.column_size(), ring.part(),
                 kTileSize, kDepth, task.runs, end, sums, add},
                task.job.cells_of(block) > kTile, 2 * pair + 1 < task.job.column_tiles(), meanwhile);
}

// Weights that stay in the second-level cache meet one block after the other.
inline void multiply_blocks(const LineTask& task, const LineClass& of, Range blocks, Meanwhile& meanwhile) {
  const int64_t tiles = task.job.depth_tiles();
  meanwhile.rows = divide_up(kLineBlock, larger(1, of.gather.taps() * tiles));
  int64_t number = 0;
  for (int64_t block = blocks.begin; block < blocks.end; ++block) {
    const TileRun* end = list_line_runs(task, of, block, {0, tiles});
    for (int64_t pair = task.pairs.begin; pair < task.pairs.end; ++pair, ++number) {
      float* sums = task.sums + number % 2 * kSums;
      multiply_line(task, of, block, pair, end, false, sums, meanwhile);
      meanwhile.writer.rest();
      meanwhile.writer.begin(sums, task.targets + (block - blocks.begin) * kLineBlock, task.job.cells_of(block), pair * kSumsRow);
    }
  }
  meanwhile.writer.rest();
}

// Others meet all blocks portion after portion.
inline void multiply_portions(const LineTask& task, const LineClass& of, Range blocks, Meanwhile& meanwhile) {
  const int64_t tiles = task.job.depth_tiles();
  const auto sums_of = [&](int64_t block) { return task.sums + (block - blocks.begin) * kSums; };
  for (int64_t pair = task.pairs.begin; pair < task.pairs.end; ++pair) {
    for (int64_t depth = 0; depth < tiles; depth += task.job.portion)
      for (int64_t block = blocks.begin; block < blocks.end; ++block) {
        const TileRun* end = list_line_runs(task, of, block, {depth, smaller(depth + task.job.portion, tiles)});
        multiply_line(task, of, block, pair, end, depth > 0, sums_of(block), meanwhile);
      }
    for (int64_t block = blocks.begin; block < blocks.end; ++block) {
      meanwhile.writer.begin(sums_of(block), task.targets + (block - blocks.begin) * kLineBlock, task.job.cells_of(block), pair * kSumsRow);
      meanwhile.writer.rest();
    }
  }
}

inline Range group_from(const LineJob& job, int64_t block, Range blocks) { return {block, smaller(block + job.together, blocks.end)}; }

// One past the last cell that blocks see.
inline int64_t cells_seen(const LineJob& job, Range blocks) { return job.first_cell(blocks.end - 1) + kLineBlock + job.reach; }

// The next group's, beginning with what no group before has seen: what a span's last block sees reaches to the next span.
inline int64_t list_new_cells(LineTask& task, Range group) {
  const int64_t begin = task.split_up_to;
  task.split_up_to = cells_seen(task.job, group);
  return list_cells(task.job, task.ring, task.call.source, begin, task.split_up_to, task.cells);
}

inline void multiply_group(const LineTask& task, Range group, Meanwhile& meanwhile) {
  const LineJob& job = task.job;
  const int64_t steps = all_taps(job) * job.depth_tiles() * (group.end - group.begin) * (task.pairs.end - task.pairs.begin);
  meanwhile.splits = divide_up(meanwhile.splitter.steps(), larger(1, steps));
  for (int64_t i = 0; i < job.count; ++i) {
    for (int64_t block = group.begin; block < group.end; ++block)
      list_line_targets(job, job.classes[i].gather, block, task.targets + (block - group.begin) * kLineBlock);
    job.portion < job.depth_tiles() ? multiply_portions(task, job.classes[i], group, meanwhile)
                                    : multiply_blocks(task, job.classes[i], group, meanwhile);
  }
  meanwhile.splitter.rest();
}

inline void place_line_task(LineTask& task, Workers& workers) {
  const LineJob& job = task.job;
  int64_t taps = 1, lines = 0;
  for (int64_t i = 0; i < job.count; ++i) taps = larger(taps, job.classes[i].gather.taps());
  for (int64_t i = 0; i < job.lines(); ++i) lines += job.used[i];
  const auto take = [&](Layout& memory) {
    task.cells = memory.take<SplitCell>(lines * (job.most_new_cells() + kLineBlock));
    task.runs = memory.take<TileRun>(taps);
    task.targets = memory.take<int64_t>(job.together * kLineBlock);
    task.sums = memory.take<float>(larger(2, job.together) * kSums);
  };
  Layout size;
  take(size);
  Layout memory(workers.scratch(1, size.bytes()));
  take(memory);
  const int64_t numbers = job.lines() * job.depth_tiles() * task.ring.step();
  task.ring.numbers = static_cast<Bfloat16*>(workers.scratch(0, static_cast<size_t>(numbers) * sizeof(Bfloat16)));
}

inline void line_task(const LineJob& job, const LineCall& call, int64_t number, Flag& strange, Workers& workers) {
  const Range blocks = even_part(job.blocks(), number / job.parts, job.bands);
  LineTask task{job, call, {nullptr, job.ring_cells()}, blocks, even_part(divide_up(job.column_tiles(), 2), number % job.parts, job.parts),
                nullptr, nullptr, nullptr, nullptr, job.first_cell(blocks.begin)};
  place_line_task(task, workers);
  Strange seen;
  CellSplitter splitter(job.gather().source_channels, task.ring.part(), task.ring.step(), seen);
  BlockWriter writer(job, call, seen);
  Meanwhile meanwhile{splitter, writer, 0, 0};
  const TileRegisters registers;
  Range group = group_from(job, blocks.begin, blocks);
  splitter.begin(task.cells, list_new_cells(task, group));
  splitter.rest();
  for (; group.begin < blocks.end; group = group_from(job, group.end, blocks)) {
    const Range next = group_from(job, group.end, blocks);
    splitter.begin(task.cells, next.begin < blocks.end ? list_new_cells(task, next) : 0);
    multiply_group(task, group, meanwhile);
  }
  if (seen.seen()) strange.raise();
}

// Lines of forward and residue classes of the gradient are as many as the stride has residues.
inline bool has_few_lines(const ConvolutionGeometry& g) { return residue_classes(g) <= kMostLines; }

inline LineJob forward_lines(const ConvolutionGeometry& g) {
  LineJob job{};
  job.count = 1, job.classes[0].gather = forward_gather(g);
  measure_lines(job);
  plan_groups(job);
  return job;
}

// Without any class where there are too many.
inline LineJob input_gradient_lines(const ConvolutionGeometry& g) {
  LineJob job{};
  for (int64_t i = 0; has_few_lines(g) && i < residue_classes(g); ++i) {
    const Gather gather = class_gather(g, i);
    if (gather.positions() > 0) job.classes[job.count++].gather = gather;
  }
  if (job.count == 0) return job;
  measure_lines(job);
  plan_groups(job);
  return job;
}

// Returns false, and the target is not to be used, where a number cannot be split.
template <typename Pack>
bool run_lines(LineJob& job, const LineCall& call, const Pack& pack, Workers& workers) {
  plan_tasks(job, workers.threads());
  LineTap* taps = nullptr;
  const auto take = [&](Layout& memory) {
    taps = memory.take<LineTap>(all_taps(job));
    for (int64_t i = 0; i < job.count; ++i) job.classes[i].packed = memory.take<Bfloat16>(job.classes[i].size());
  };
  Layout size;
  take(size);
  Layout memory(workers.shared(size.bytes()));
  take(memory);
  place_taps(job, taps);
  Flag strange;
  for (int64_t i = 0; i < job.count; ++i)
    workers.run(static_cast<int>(job.classes[i].tasks()), [&](int task) { pack(job.classes[i], task, strange); });
  if (strange.raised()) return false;
  workers.run(static_cast<int>(job.bands * job.parts), [&](int task) { line_task(job, call, task, strange, workers); });
  return !strange.raised();
}

inline bool line_forward(const ConvolutionGeometry& g, const LineCall& call, const float* w, Workers& workers) {
  LineJob job = forward_lines(g);
  return run_lines(job, call, [&](const SplitWeights& weights, int64_t task, Flag& strange) { pack_split_forward(weights, w, task, strange); }, workers);
}

inline bool line_input_gradient(const ConvolutionGeometry& g, const float* dy, const float* w, float* dx, Workers& workers) {
  LineJob job = input_gradient_lines(g);
  return run_lines(job, {dy, nullptr, false, dx},
                   [&](const SplitWeights& weights, int64_t task, Flag& strange) { pack_split_transposed(weights, g.kernel, w, task, strange); }, workers);
}

}  // namespace convista::CONVISTA_TARGET
