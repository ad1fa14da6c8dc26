// Depthwise convolution in registers: a strip of neighbouring positions of a row × a vector of channels or two. Each input of a strip is
// loaded once for all taps of a kernel row that meet it; loading it for each tap took three times as many loads as a 3 × 3 kernel needs.
//
// Tried and lost (AVX-512, one core, milliseconds): one vector of channels per strip instead of two took 0.78 instead of 0.55 for
// 7 × 7 on 8 × 14² × 384, because checks and addresses serve half as much; runs of up to four taps gained nothing at 5 × 5 and 7 × 7 for
// a fifth more code; masks for every vector, so that a rest needs no code of its own, took 7–10 % more in the cache; ending the last
// strip with the row, and making some sums twice, gained nothing over a strip that goes beyond it.
#pragma once
#include "vector.h"

namespace convista::CONVISTA_TARGET {

// Up to three neighbouring taps of a row of the kernel, and the row of the source that they meet, from its column 0 on. Position p
// reads columns first + p·step, and for the next taps those behind it.
template <typename Weight>
struct DepthwiseRun {
  const float* source;
  Weight* weights;
  int64_t first, taps;
};

// What strips of a row have in common.
template <typename Weight>
struct DepthwiseLine {
  const DepthwiseRun<Weight>*runs, *end;
  int64_t pace;                    // 1 or 2: the step, where taps are neighbours; 0: any step, and runs of one tap
  int64_t step, columns;
  int64_t first, last;             // the least and the greatest column that position 0 reads
  int64_t weight_step;             // floats between the weights of two taps
  int64_t channels, source_pixel;  // of the target; floats between two columns of the source
  int64_t times;                   // target channels per source channel
  const float* fresh;              // rows of the source that the line before did not read
  int64_t fresh_rows, fresh_step, ahead;
};

// How far ahead of its use memory is asked for, read or written: the hardware's own fetching stops at each page of 4 KB and knows
// nothing of rows. 3 × 3 on 128 × 16² × 128 in memory, forward, takes 2.1 ms with it and 4.2 without. 8 KB are up to a tenth slower,
// 16 and 32 KB up to a third (the kernel gradient); into the second-level cache instead of the first gains nothing.
constexpr int64_t kAhead = 1024;  // floats

// Always inline: GCC takes a function that only fetches for one that does nothing, and leaves its calls out.
inline __attribute__((always_inline)) void fetch_ahead(const float* from, int64_t ahead) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + static_cast<uintptr_t>(ahead) * sizeof(float)));
}

// The channels of one vector in a pixel of the source.
struct OwnChannels {
  static constexpr int kVectors = kManyRegisters ? 2 : 1;
  int64_t channel;
  int lanes;
  OwnChannels(int64_t, int64_t channel, int lanes) : channel(channel), lanes(lanes) {}
  int64_t first() const { return channel; }
  Vector from(const float* pixel, int vector) const { return load_lanes(pixel + channel + vector * kWidth, lanes); }
};

// With `times` target channels per source channel.
struct RepeatedChannels {
  static constexpr int kVectors = 1;
  int64_t channel;
  int lanes;
  Lanes places;
  RepeatedChannels(int64_t times, int64_t target, int target_lanes) : channel(target / times) {
    const int per = static_cast<int>(times), phase = static_cast<int>(target % times);
    lanes = (phase + target_lanes - 1) / per + 1;
    for (int lane = 0, place = 0, left = per - phase; lane < kWidth; ++lane, --left) {
      if (left == 0) ++place, left = per;
      places[lane] = place;
    }
  }
  int64_t first() const { return channel; }
  Vector from(const float* pixel, int) const { return __builtin_shuffle(load_lanes(pixel + channel, lanes), places); }
};

// Which inputs of a strip may lie outside the row: the first and the last one, as a rule, where the kernel is 3 wide. Checking them
// all took a tenth more; checking two at each end, for kernels that are 5 wide, gained nothing.
enum class Outside { ends, any };

// Calls use(position, tap, vector, value) for the products of `Taps` neighbouring taps with a strip. `column` is that of the first input.
// Step 0: any steps, one tap.
template <int Taps, int Positions, int Vectors, int Step, Outside Where, typename Channels, typename Use>
inline __attribute__((always_inline)) void visit_inputs(const float* source, int64_t column, int64_t step, int64_t columns, int64_t pixel,
                                                        const Channels& channels, const Use& use) {
  static_assert(Step > 0 || Taps == 1);
  constexpr int kStep = Step == 0 ? 1 : Step, kInputs = (Positions - 1) * kStep + Taps;
  const int64_t stride = Step == 0 ? step : 1;
  const float* from = source + column * pixel;
  CONVISTA_UNROLL
  for (int j = 0; j < kInputs; ++j, column += stride, from += stride * pixel) {
    if (Taps < Step && j % kStep >= Taps) continue;
    const bool checked = Where == Outside::any || j == 0 || j == kInputs - 1;
    if (checked && static_cast<uint64_t>(column) >= static_cast<uint64_t>(columns)) continue;
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      Vector value = channels.from(from, v);
      keep(value);
      CONVISTA_UNROLL
      for (int k = 0; k < Taps; ++k)
        if (j >= k && (j - k) % kStep == 0 && (j - k) / kStep < Positions) use((j - k) / kStep, k, v, value);
    }
  }
}

template <int Number>
struct Count {
  static constexpr int kValue = Number;
};

constexpr int64_t kRunTaps = 3;

// Calls part(Count, run).
template <int Step, typename Weight, typename Part>
inline __attribute__((always_inline)) void visit_runs(const DepthwiseLine<Weight>& line, const Part& part) {
  for (const auto* run = line.runs; run < line.end; ++run) {
    if constexpr (Step == 0) {
      part(Count<1>(), *run);
    } else {
      if (run->taps == 3) {
        part(Count<3>(), *run);
      } else if (run->taps == 2) {
        part(Count<2>(), *run);
      } else {
        part(Count<1>(), *run);
      }
    }
  }
}

// Asks for what lies behind the rows that the line before did not read.
template <int Positions, int Vectors, int Step, typename Weight>
inline __attribute__((always_inline)) void fetch_rows(const DepthwiseLine<Weight>& line, int64_t position, int64_t channel) {
  if (channel % 16 != 0) return;  // asked for with the vector before
  const float* from = line.fresh + position * line.step * line.source_pixel + channel;
  for (int64_t row = 0; row < line.fresh_rows; ++row, from += line.fresh_step) {
    CONVISTA_UNROLL
    for (int j = 0; j < Positions * (Step == 0 ? 1 : Step); ++j)
      CONVISTA_UNROLL
      for (int v = 0; v < Vectors; ++v) fetch_ahead(from + j * line.source_pixel + v * kWidth, line.ahead);
  }
}

template <int Positions, int Vectors>
inline __attribute__((always_inline)) void fetch_positions(const float* first, int64_t pixel, int64_t channel) {
  if (channel % 16 != 0) return;
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p)
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) fetch_ahead(first + p * pixel + v * kWidth, kAhead);
}

struct DepthwiseSums {
  float* target;
  int64_t pixel;
  const float* bias;
  bool relu;
};

// `live`: how many of the positions exist; all of them where only the ends may lie outside.
template <int Positions, int Vectors, int Step, Outside Where, typename Channels>
inline __attribute__((always_inline)) void strip_vector(const DepthwiseLine<const float>& line, const DepthwiseSums& result, int64_t position,
                                                        int live, int64_t channel, int lanes) {
  const Channels channels(line.times, channel, lanes);
  float* target = result.target + position * result.pixel + channel;
  fetch_positions<Positions, Vectors>(target, result.pixel, channel);
  fetch_rows<Positions, Vectors, Step>(line, position, channels.first());
  Vector sums[Positions][Vectors];
  CONVISTA_UNROLL
  for (int v = 0; v < Vectors; ++v) {
    const Vector start = result.bias ? load_lanes(result.bias + channel + v * kWidth, lanes) : Vector{};
    CONVISTA_UNROLL
    for (int p = 0; p < Positions; ++p) sums[p][v] = start;
  }
  visit_runs<Step>(line, [&](auto count, const auto& run) __attribute__((always_inline)) {
    constexpr int kTaps = decltype(count)::kValue;
    Vector weights[kTaps][Vectors];
    CONVISTA_UNROLL
    for (int k = 0; k < kTaps; ++k)
      CONVISTA_UNROLL
      for (int v = 0; v < Vectors; ++v) weights[k][v] = load_lanes(run.weights + k * line.weight_step + channel + v * kWidth, lanes);
    const auto add = [&](int p, int k, int v, Vector value) __attribute__((always_inline)) { sums[p][v] += value * weights[k][v]; };
    visit_inputs<kTaps, Positions, Vectors, Step, Where>(run.source, run.first + position * line.step, line.step, line.columns, line.source_pixel,
                                                         channels, add);
  });
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p) {
    if (Where == Outside::any && p >= live) continue;
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v)
      store_lanes(target + p * result.pixel + v * kWidth, result.relu ? relu_of(sums[p][v]) : sums[p][v], lanes);
  }
}

struct DepthwiseProducts {
  const float* dy;
  int64_t pixel;     // floats between two positions of dy
  float* bias_sums;  // or null
};

// Adds to the sums that the runs' weights are: taps × padded channels.
template <int Positions, int Vectors, int Step, Outside Where, typename Channels>
inline __attribute__((always_inline)) void strip_vector(const DepthwiseLine<float>& line, const DepthwiseProducts& of, int64_t position, int live,
                                                        int64_t channel, int lanes) {
  const Channels channels(line.times, channel, lanes);
  const float* dy = of.dy + position * of.pixel + channel;
  fetch_positions<Positions, Vectors>(dy, of.pixel, channel);
  fetch_rows<Positions, Vectors, Step>(line, position, channels.first());
  Vector values[Positions][Vectors];
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p)
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v)
      values[p][v] = Where == Outside::ends || p < live ? load_lanes(dy + p * of.pixel + v * kWidth, lanes) : Vector{};
  if (of.bias_sums) {
    CONVISTA_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      Vector sum = load(of.bias_sums + channel + v * kWidth);
      CONVISTA_UNROLL
      for (int p = 0; p < Positions; ++p) sum += values[p][v];
      store(of.bias_sums + channel + v * kWidth, sum);
    }
  }
  visit_runs<Step>(line, [&](auto count, const auto& run) __attribute__((always_inline)) {
    constexpr int kTaps = decltype(count)::kValue;
    Vector sums[kTaps][Vectors];
    float* to = run.weights + channel;
    CONVISTA_UNROLL
    for (int k = 0; k < kTaps; ++k)
      CONVISTA_UNROLL
      for (int v = 0; v < Vectors; ++v) sums[k][v] = load(to + k * line.weight_step + v * kWidth);
    const auto add = [&](int p, int k, int v, Vector value) __attribute__((always_inline)) {
      if (Where == Outside::ends || p < live) sums[k][v] += value * values[p][v];
    };
    visit_inputs<kTaps, Positions, Vectors, Step, Where>(run.source, run.first + position * line.step, line.step, line.columns, line.source_pixel,
                                                         channels, add);
    CONVISTA_UNROLL
    for (int k = 0; k < kTaps; ++k)
      CONVISTA_UNROLL
      for (int v = 0; v < Vectors; ++v) store(to + k * line.weight_step + v * kWidth, sums[k][v]);
  });
}

constexpr int kStripPositions = 8;

// The channels that fill no vectors have code of their own, one for all kinds of strips, which keeps it small.
template <int Step, typename Channels, typename Weight, typename Result>
void strip_rest(const DepthwiseLine<Weight>& line, const Result& result, int64_t position, int live, int64_t channel) {
  for (; channel < line.channels; channel += kWidth)
    strip_vector<kStripPositions, 1, Step, Outside::any, Channels>(line, result, position, live, channel,
                                                                   static_cast<int>(smaller(kWidth, line.channels - channel)));
}

template <int Positions, int Step, Outside Where, typename Channels, typename Weight, typename Result>
void strip_vectors(DepthwiseLine<Weight> line, Result result, int64_t position, int live) {
  constexpr int kVectors = Channels::kVectors;
  int64_t channel = 0;
  for (; channel + kVectors * kWidth <= line.channels; channel += kVectors * kWidth)
    strip_vector<Positions, kVectors, Step, Where, Channels>(line, result, position, live, channel, kWidth);
  if (channel < line.channels) strip_rest<Step, Channels>(line, result, position, live, channel);
}

// Strips of 8, one of 4 for a rest up to that. Where more than its ends may lie outside, a strip of 8 goes beyond the row.
template <int Step, typename Channels, typename Weight, typename Result>
void strips_of(const DepthwiseLine<Weight>& line, const Result& result, int64_t position, int64_t end) {
  constexpr int kMost = kStripPositions, kFew = kMost / 2;
  const int64_t reach = Step == 0 ? line.step : 1;  // from one input to the next
  while (position < end) {
    const int64_t left = end - position, size = left <= kFew ? kFew : kMost;
    const int64_t first = line.first + position * line.step, last = line.last + (position + size - 1) * line.step;
    const bool ends = left >= size && first >= -reach && last < line.columns + reach;
    if (!ends) {
      strip_vectors<kMost, Step, Outside::any, Channels>(line, result, position, static_cast<int>(smaller(left, kMost)));
      position += kMost;
    } else if (size == kFew) {
      strip_vectors<kFew, Step, Outside::ends, Channels>(line, result, position, kFew);
      position += kFew;
    } else {
      strip_vectors<kMost, Step, Outside::ends, Channels>(line, result, position, kMost);
      position += kMost;
    }
  }
}

// Positions first … end − 1 of a row.
template <typename Channels, typename Weight, typename Result>
void depthwise_strips(const DepthwiseLine<Weight>& line, const Result& result, int64_t first, int64_t end) {
  if (line.pace == 1) return strips_of<1, Channels>(line, result, first, end);
  if (line.pace == 2) return strips_of<2, Channels>(line, result, first, end);
  strips_of<0, Channels>(line, result, first, end);
}

}  // namespace convista::CONVISTA_TARGET
