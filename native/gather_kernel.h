// The register tile of forward convolution and of the gradient by the input: a few positions × a few vectors of target channels.
#pragma once
#include "residue_classes.h"

namespace convista::CONVISTA_TARGET {

// With 32 registers: 6 × 4 sums, 4 weights, 1 broadcast. With 16: 6 × 2 sums, 2 weights, 1 broadcast.
constexpr int kVectors = kManyRegisters ? 4 : 2;
constexpr int tile_positions(int vectors) {
  if (kManyRegisters) return vectors == 4 ? 6 : vectors == 3 ? 8 : 12;
  return vectors == 2 ? 6 : 10;
}

// Weights of one group, packed: target channels in blocks of kVectors vectors (the last block as narrow as it can be),
// inside a block row after row, each row as wide as the block, zeros behind the last channel.
struct Blocks {
  int64_t vectors;  // of one group's target channels
  int last_lanes;   // of the last vector
  int64_t rows;
  explicit Blocks(int64_t channels, int64_t rows_)
      : vectors(divide_up(channels, kWidth)), last_lanes(static_cast<int>(channels - (vectors - 1) * kWidth)), rows(rows_) {}
  int64_t count() const { return divide_up(vectors, kVectors); }
  int64_t size() const { return vectors * kWidth * rows; }
  int64_t start(int64_t block) const { return block * kVectors * kWidth * rows; }
  int width(int64_t block) const { return static_cast<int>(smaller(kVectors, vectors - block * kVectors)); }
  int lanes(int64_t block) const { return block + 1 == count() ? last_lanes : kWidth; }
};

struct Tiles {
  const float* source;  // of the group's first channel in the first image
  const int64_t* source_offsets;
  float* target;  // of the block's first channel in the first image
  const int64_t* target_offsets;
  int64_t positions;
  const float* weights;  // of the block
  const float* bias;     // of the block, or null
  int last_lanes;
  bool relu;
  bool weights_near;      // in this core's second-level cache already
  int64_t source_stride;  // floats between neighbours of a row when they lie side by side in the source, otherwise 0
};

struct Chunk {
  const Run *begin, *end;
  bool first, last;
  const float* ahead;  // weights of the next chunk, fetched into the second-level cache while this one is used
  int64_t ahead_lines;
};

template <int Positions, int Vectors>
inline void start_sums(Vector (&sums)[Positions][Vectors], const Tiles& tiles, float* const* targets, bool first) {
  if (!first) {
    CONVISTA_UNROLL
    for (int p = 0; p < Positions; ++p)
      CONVISTA_UNROLL
      for (int v = 0; v < Vectors; ++v)
        sums[p][v] = v + 1 < Vectors ? load(targets[p] + v * kWidth) : load_lanes(targets[p] + v * kWidth, tiles.last_lanes);
    return;
  }
  CONVISTA_UNROLL
  for (int v = 0; v < Vectors; ++v) {
    Vector start{};
    if (tiles.bias) start = v + 1 < Vectors ? load(tiles.bias + v * kWidth) : load_lanes(tiles.bias + v * kWidth, tiles.last_lanes);
    CONVISTA_UNROLL
    for (int p = 0; p < Positions; ++p) sums[p][v] = start;
  }
}

template <int Positions, int Vectors>
inline void finish_sums(Vector (&sums)[Positions][Vectors], const Tiles& tiles, float* const* targets, int live, bool relu) {
  if (relu) {
    CONVISTA_UNROLL
    for (int p = 0; p < Positions; ++p)
      CONVISTA_UNROLL
      for (int v = 0; v < Vectors; ++v) sums[p][v] = relu_of(sums[p][v]);
  }
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p) {
    if (p >= live) break;
    CONVISTA_UNROLL
    for (int v = 0; v + 1 < Vectors; ++v) store(targets[p] + v * kWidth, sums[p][v]);
    store_lanes(targets[p] + (Vectors - 1) * kWidth, sums[p][Vectors - 1], tiles.last_lanes);
  }
}

// Computes `Positions` positions and stores the first `live` of them.
template <int Positions, int Vectors, bool Single>
void gather_tile(const Tiles& tiles, const Chunk& chunk, int64_t position, int live) {
  const float* sources[Positions];
  float* targets[Positions];
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p) {
    const int64_t at = position + (p < live ? p : live - 1);
    sources[p] = tiles.source + tiles.source_offsets[at];
    targets[p] = tiles.target + tiles.target_offsets[at];
  }
  Vector sums[Positions][Vectors];
  start_sums<Positions, Vectors>(sums, tiles, targets, chunk.first);
  for (const Run* run = chunk.begin; run < chunk.end; ++run) {
    const float* weights = tiles.weights + run->row * (Vectors * kWidth);
    const int64_t end = run->offset + (Single ? 1 : run->length);
    for (int64_t k = run->offset; k < end; ++k, weights += Vectors * kWidth) {
      Vector weight[Vectors];
      CONVISTA_UNROLL
      for (int v = 0; v < Vectors; ++v) weight[v] = load(weights + v * kWidth);
      CONVISTA_UNROLL
      for (int p = 0; p < Positions; ++p) {
        const Vector value = fill(sources[p][k]);
        CONVISTA_UNROLL
        for (int v = 0; v < Vectors; ++v) sums[p][v] += value * weight[v];
      }
    }
  }
  finish_sums<Positions, Vectors>(sums, tiles, targets, live, chunk.last && tiles.relu);
}

// The part of the next chunk's weights that falls to this tile: 11 % faster with 512 channels, whose weights come from the third
// level. Fetching sources of later tiles ahead as well gained nothing.
inline void fetch_ahead(const Chunk& chunk, int64_t position, int64_t tile, int64_t positions) {
  constexpr int64_t kLine = 64 / sizeof(float);
  const int64_t begin = chunk.ahead_lines * position / positions, end = chunk.ahead_lines * (position + tile) / positions;
  for (int64_t line = begin; line < end; ++line) __builtin_prefetch(chunk.ahead + line * kLine, 0, 2);
}

// One vector of target channels needs a load for every multiply-add, and a dozen pointers to do it. Where the distance between
// neighbouring positions is known here, one pointer serves up to two dozen, and tiles are as long as the row asks: 62 positions
// are 22 + 20 + 20. Always 24, and what is left of the row in tiles of 12, gained 4 % where this gains 9 % (3³ on 64³, 16 to 16 channels).
constexpr int kEvenTile = 24, kLeastEvenTile = 10;

template <int Positions, int64_t Stride>
void even_tile(const Tiles& tiles, const Chunk& chunk, int64_t position) {
  const float* source = tiles.source + tiles.source_offsets[position];
  float* targets[Positions];
  for (int p = 0; p < Positions; ++p) targets[p] = tiles.target + tiles.target_offsets[position + p];
  Vector sums[Positions][1];
  start_sums<Positions, 1>(sums, tiles, targets, chunk.first);
  for (const Run* run = chunk.begin; run < chunk.end; ++run) {
    const float *weights = tiles.weights + run->row * kWidth, *end = weights + run->length * kWidth;
    for (const float* from = source + run->offset; weights < end; weights += kWidth, ++from) {
      const Vector weight = load(weights);
      CONVISTA_UNROLL
      for (int p = 0; p < Positions; ++p) sums[p][0] += fill(from[p * Stride]) * weight;
    }
  }
  finish_sums<Positions, 1>(sums, tiles, targets, Positions, chunk.last && tiles.relu);
}

// Positions from this one on that are neighbours in a row, up to two tiles. A step to another row is longer than the stride.
inline int even_positions(const Tiles& tiles, int64_t position) {
  const int64_t* at = tiles.source_offsets + position;
  const int most = static_cast<int>(smaller(2 * kEvenTile, tiles.positions - position));
  if (at[most - 1] - at[0] == (most - 1) * tiles.source_stride) return most;
  int count = 1;
  while (count < most && at[count] - at[count - 1] == tiles.source_stride) ++count;
  return count;
}

template <int Positions, int64_t Stride>
int gather_even_tile(const Tiles& tiles, const Chunk& chunk, int64_t position, int wanted) {
  if constexpr (Positions < kLeastEvenTile) {
    return 0;
  } else {
    if (wanted < Positions) return gather_even_tile<Positions - 2, Stride>(tiles, chunk, position, wanted);
    even_tile<Positions, Stride>(tiles, chunk, position);
    return Positions;
  }
}

// How many positions it did, or 0.
inline int gather_even_tile(const Tiles& tiles, const Chunk& chunk, int64_t position) {
  const int even = even_positions(tiles, position);
  const int wanted = even <= kEvenTile || even == 2 * kEvenTile ? even : (even + 3) / 4 * 2;
  if (tiles.source_stride == 16) return gather_even_tile<kEvenTile, 16>(tiles, chunk, position, wanted);
  if (tiles.source_stride == 32) return gather_even_tile<kEvenTile, 32>(tiles, chunk, position, wanted);
  if (tiles.source_stride == 64) return gather_even_tile<kEvenTile, 64>(tiles, chunk, position, wanted);
  return 0;
}

template <int Vectors, bool Single>
void gather_chunk(const Tiles& tiles, const Chunk& chunk) {
  constexpr int kTile = tile_positions(Vectors);
  int64_t position = 0;
  if constexpr (kManyRegisters && Vectors == 1 && !Single) {
    while (tiles.source_stride > 0 && position + kTile <= tiles.positions) {
      if (chunk.ahead_lines > 0) fetch_ahead(chunk, position, kTile, tiles.positions);
      const int done = gather_even_tile(tiles, chunk, position);
      if (done == 0) gather_tile<kTile, Vectors, Single>(tiles, chunk, position, kTile);
      position += done > 0 ? done : kTile;
    }
  }
  for (; position + kTile <= tiles.positions; position += kTile) {
    if (chunk.ahead_lines > 0) fetch_ahead(chunk, position, kTile, tiles.positions);
    gather_tile<kTile, Vectors, Single>(tiles, chunk, position, kTile);
  }
  const int left = static_cast<int>(tiles.positions - position);
  if (left == 0) return;
  if (left > kTile * 2 / 3) return gather_tile<kTile, Vectors, Single>(tiles, chunk, position, left);
  if (left > kTile / 3) return gather_tile<kTile * 2 / 3, Vectors, Single>(tiles, chunk, position, left);
  if (left > 1) return gather_tile<kTile / 3, Vectors, Single>(tiles, chunk, position, left);
  gather_tile<1, Vectors, Single>(tiles, chunk, position, left);
}

// Weight rows that stay in the first-level cache while all tiles of a piece pass over them: 28 KB hold a 3³ kernel on 16 channels in
// one piece. 16, 24, 48 and 128 KB and no chunks at all are within the noise of one core; small chunks leave room for a neighbour
// on the same core.
constexpr int64_t kChunkBytes = 28 * 1024;
constexpr int64_t chunk_rows(int vectors) { return kChunkBytes / (vectors * kWidth * static_cast<int64_t>(sizeof(float))); }

inline const Run* end_of_chunk(const Run* begin, const Run* end, int64_t most) {
  const Run* stop = begin;
  for (int64_t rows = 0; stop < end && (stop == begin || rows + stop->length <= most); ++stop) rows += stop->length;
  return stop;
}

template <int Vectors, bool Single>
void gather_block(const Tiles& tiles, const Run* runs, int64_t count) {
  constexpr int64_t kRow = Vectors * kWidth;
  const Run *begin = runs, *end = runs + count, *stop = end_of_chunk(begin, end, chunk_rows(Vectors));
  for (bool first = true; first || begin < end; first = false) {
    const Run* next = end_of_chunk(stop, end, chunk_rows(Vectors));
    Chunk chunk{begin, stop, first, stop == end, nullptr, 0};
    if (stop < next && !tiles.weights_near) {
      chunk.ahead = tiles.weights + stop->row * kRow;
      chunk.ahead_lines = ((next - 1)->row + (next - 1)->length - stop->row) * kRow * static_cast<int64_t>(sizeof(float)) / 64;
      chunk.ahead_lines = smaller(chunk.ahead_lines, kChunkBytes / 64);
    }
    gather_chunk<Vectors, Single>(tiles, chunk);
    begin = stop;
    stop = next;
  }
}

template <bool Single>
void gather_block(int vectors, const Tiles& tiles, const Run* runs, int64_t count) {
  if (vectors == 1) return gather_block<1, Single>(tiles, runs, count);
  if (vectors == 2) return gather_block<2, Single>(tiles, runs, count);
  if constexpr (kVectors > 2) {
    if (vectors == 3) return gather_block<3, Single>(tiles, runs, count);
    return gather_block<4, Single>(tiles, runs, count);
  }
}

// Runs of a few elements (kernel_width × 1 or 2 channels) cost more than they save: they are listed element by element, and the
// tile then has one loop instead of two.
constexpr int64_t kShortRun = 8;

inline int64_t longest_run(const Gather& gather) {
  const bool row = gather.axis[2].tap_step == 1 && gather.groups == 1;
  const int64_t length = gather.group_sources() * (row ? larger(1, gather.axis[2].taps) : 1);
  return length <= kShortRun ? 1 : chunk_rows(kVectors);
}

inline void gather_block(bool single, int vectors, const Tiles& tiles, const Run* runs, int64_t count) {
  if (single) return gather_block<true>(vectors, tiles, runs, count);
  gather_block<false>(vectors, tiles, runs, count);
}

constexpr int64_t kFewUnits = 16;

inline Blocks blocks_of(const Gather& gather) { return Blocks(gather.group_targets(), gather.rows()); }

inline void plan_job(GatherJob& job, int64_t first_task) {
  job.units = gather_units(job.gather);
  const int64_t all_blocks = job.gather.groups * blocks_of(job.gather).count();
  job.block_parts = job.units.count < kFewUnits ? all_blocks : 1;
  job.first_task = first_task;
  job.tasks = job.units.count * job.block_parts;
}

struct GatherCall {
  const float* source;
  const float* bias;
  bool relu;
  float* target;
};

// One block, counted through all groups, of the positions listed.
inline void gather_one_block(const GatherJob& job, const GatherCall& call, Tiles tiles, int64_t image, const Run* runs, int64_t run_count,
                             int64_t number, const float* weights) {
  const Gather& gather = job.gather;
  const Blocks blocks = blocks_of(gather);
  const int64_t group = number / blocks.count(), block = number % blocks.count();
  const int64_t channel = group * gather.group_targets() + block * kVectors * kWidth;
  tiles.source = call.source + image * gather.source_image() + group * gather.group_sources();
  tiles.target = call.target + image * gather.target_image() + channel;
  tiles.weights = weights;
  tiles.bias = call.bias ? call.bias + channel : nullptr;
  tiles.last_lanes = blocks.lanes(block);
  gather_block(longest_run(gather) == 1, blocks.width(block), tiles, runs, run_count);
}

// Calls visit(tiles, image, runs, run count) for all pieces of a unit.
template <typename Visit>
void visit_tiles(const GatherJob& job, const GatherCall& call, int64_t unit, Workers& workers, const Visit& visit) {
  const Gather& gather = job.gather;
  const int64_t longest = longest_run(gather);
  auto* places = static_cast<int64_t*>(workers.scratch(0, 2 * kMostPositions * sizeof(int64_t)));
  auto* runs = static_cast<Run*>(workers.scratch(1, static_cast<size_t>(runs_needed(gather, longest)) * sizeof(Run)));
  visit_unit(gather, job.units, unit, [&](int64_t image, const Box& box, int64_t first, int64_t last) {
    const int64_t run_count = list_runs(gather, box, longest, runs);
    visit_pieces(first, last, piece_size(gather), [&](int64_t from, int64_t to) {
      list_positions(gather, box, from, to, places, places + kMostPositions);
      const Tiles tiles{nullptr, places, nullptr, places + kMostPositions, to - from, nullptr, nullptr, 0, call.relu, false,
                        gather.axis[2].source_step == 1 ? gather.source_channels : 0};
      visit(tiles, image, runs, run_count);
    });
  });
}

inline void gather_task(const GatherJob& job, const GatherCall& call, int64_t task, Workers& workers) {
  const Blocks blocks = blocks_of(job.gather);
  const int64_t part = task % job.block_parts;
  const int64_t begin = job.block_parts == 1 ? 0 : part, end = job.block_parts == 1 ? job.gather.groups * blocks.count() : part + 1;
  visit_tiles(job, call, task / job.block_parts, workers, [&](const Tiles& tiles, int64_t image, const Run* runs, int64_t run_count) {
    for (int64_t i = begin; i < end; ++i)
      gather_one_block(job, call, tiles, image, runs, run_count, i,
                       job.packed + i / blocks.count() * blocks.size() + blocks.start(i % blocks.count()));
  });
}

// Few positions under many weights: packing for all comes to a sixth of the time, and fetching what was packed from the third
// level to another. So a task takes one block through all positions, packs its weights itself, and they stay in its core's
// second level: with 512 channels at 8 × 7² positions forward is 8 % and the gradient by the input 20 % faster. With weights that
// near, longer chunks and no chunks at all are within the noise of the short ones, and so is fetching rows ahead while packing.
constexpr int64_t kOwnBlockBytes = 1280 * 1024;
constexpr int64_t kOwnUnits = 4, kOwnTasks = 8;

inline bool packs_own_weights(const Gather& gather) {
  GatherJob job{gather, {}, nullptr, 1, 0, 0};
  plan_job(job, 0);
  const int64_t bytes = gather.rows() * kVectors * kWidth * static_cast<int64_t>(sizeof(float));
  return job.units.count <= kOwnUnits && job.block_parts >= kOwnTasks && bytes <= kOwnBlockBytes;
}

inline void plan_own_job(GatherJob& job, int64_t first_task) {
  plan_job(job, first_task);
  job.tasks = job.block_parts;
}

// pack(group, first channel, blocks of these channels alone, packed)
template <typename Pack>
void gather_own_block(const GatherJob& job, const GatherCall& call, int64_t number, const Pack& pack, Workers& workers) {
  const Blocks blocks = blocks_of(job.gather);
  const int64_t block = number % blocks.count(), channel = block * kVectors * kWidth;
  const Blocks own(smaller(job.gather.group_targets() - channel, kVectors * kWidth), blocks.rows);
  auto* packed = static_cast<float*>(workers.scratch(2, static_cast<size_t>(own.size()) * sizeof(float)));
  pack(number / blocks.count(), channel, own, packed);
  for (int64_t unit = 0; unit < job.units.count; ++unit)
    visit_tiles(job, call, unit, workers, [&](Tiles tiles, int64_t image, const Run* runs, int64_t run_count) {
      tiles.weights_near = true;
      gather_one_block(job, call, tiles, image, runs, run_count, number, packed);
    });
}

}  // namespace convista::CONVISTA_TARGET
