// Depthwise convolution in registers: a strip of neighbouring positions of a row × one vector of channels. Each input of a strip is
// loaded once for all taps of a kernel row that meet it; loading it for each tap took three times as many loads as a 3 × 3 kernel needs.
#pragma once
#include "vector.h"

namespace convista::CONVISTA_TARGET {

// A row of the source that meets a row of the kernel; both begin at column 0, channel 0.
template <typename Weight>
struct DepthwiseRow {
  const float* source;
  Weight* weights;
};

// What strips of a row have in common. In columns: position p and tap t read start + p·step + t·tap_step.
template <typename Weight>
struct DepthwiseLine {
  const DepthwiseRow<Weight>*rows, *end;
  const DepthwiseRow<Weight>* fresh;  // from here on, rows that the line before did not read
  int64_t start, step, tap_step, columns;
  int64_t taps, weight_start, weight_step;  // of the kernel row; the weights of tap t lie at weight_start + t·weight_step
  int64_t channels, source_pixel;  // of the target; floats between two columns of the source
  int64_t times;                   // target channels per source channel
};

// How far ahead of its use memory is asked for.
constexpr int64_t kAhead = 2048;  // floats

// Always inline: GCC takes a function that only fetches for one that does nothing, and leaves its calls out.
inline __attribute__((always_inline)) void fetch_ahead(const float* from) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(from) + kAhead * sizeof(float)));
}

// The channels of one vector in a pixel of the source.
struct OwnChannels {
  int64_t channel;
  int lanes;
  OwnChannels(int64_t, int64_t channel, int lanes) : channel(channel), lanes(lanes) {}
  int64_t first() const { return channel; }
  Vector from(const float* pixel) const { return load_lanes(pixel + channel, lanes); }
};

// With `times` target channels per source channel.
struct RepeatedChannels {
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
  Vector from(const float* pixel) const { return __builtin_shuffle(load_lanes(pixel + channel, lanes), places); }
};

// Calls use(position, tap, value) for the products of `Taps` neighbouring taps with a strip. `column`, of the first input, may lie
// outside the row where `Checked`. Step 0: any steps, one tap.
template <int Taps, int Positions, int Step, bool Checked, typename Channels, typename Use>
inline __attribute__((always_inline)) void visit_inputs(const float* source, int64_t column, int64_t step, int64_t columns, int64_t pixel,
                                                        const Channels& channels, const Use& use) {
  static_assert(Step > 0 || Taps == 1);
  constexpr int kStep = Step == 0 ? 1 : Step, kInputs = (Positions - 1) * kStep + Taps;
  const int64_t stride = Step == 0 ? step : 1;
  const float* from = source + column * pixel;
  CONVISTA_UNROLL
  for (int j = 0; j < kInputs; ++j, column += stride, from += stride * pixel) {
    if (Taps < Step && j % kStep >= Taps) continue;
    if (Checked && static_cast<uint64_t>(column) >= static_cast<uint64_t>(columns)) continue;
    Vector value = channels.from(from);
    keep(value);
    CONVISTA_UNROLL
    for (int k = 0; k < Taps; ++k)
      if (j >= k && (j - k) % kStep == 0 && (j - k) / kStep < Positions) use((j - k) / kStep, k, value);
  }
}

template <int Number>
struct Count {
  static constexpr int kValue = Number;
};

// Calls part(Count, first tap) for up to four taps at a time.
template <int Step, typename Part>
inline __attribute__((always_inline)) void visit_taps(int64_t taps, const Part& part) {
  int64_t tap = 0;
  if constexpr (Step == 0) {
    for (; tap < taps; ++tap) part(Count<1>(), tap);
  } else {
    for (; taps - tap > 4; tap += 4) part(Count<4>(), tap);
    switch (taps - tap) {
      case 4: return part(Count<4>(), tap);
      case 3: return part(Count<3>(), tap);
      case 2: return part(Count<2>(), tap);
      case 1: return part(Count<1>(), tap);
    }
  }
}

// Asks for what lies behind the rows that the line before did not read.
template <typename Weight>
inline __attribute__((always_inline)) void fetch_rows(const DepthwiseLine<Weight>& line, int64_t column, int positions, int64_t channel) {
  if (channel % 16 != 0) return;  // asked for with the vector before
  for (const auto* row = line.fresh; row < line.end; ++row) {
    const float* from = row->source + column * line.source_pixel + channel;
    for (int64_t j = 0; j < positions * line.step; ++j) fetch_ahead(from + j * line.source_pixel);
  }
}

template <int Positions>
inline __attribute__((always_inline)) void fetch_positions(const float* first, int64_t pixel, int64_t channel) {
  if (channel % 16 != 0) return;
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p) fetch_ahead(first + p * pixel);
}

struct DepthwiseSums {
  float* target;
  int64_t pixel;
  const float* bias;
  bool relu;
};

// `live`: how many of the positions exist.
template <int Positions, int Step, bool Checked, typename Channels>
inline __attribute__((always_inline)) void strip_vector(const DepthwiseLine<const float>& line, const DepthwiseSums& result, int64_t position,
                                                      int live, int64_t channel, int lanes) {
  const Channels channels(line.times, channel, lanes);
  const int64_t column = line.start + position * line.step;
  float* target = result.target + position * result.pixel + channel;
  fetch_positions<Positions>(target, result.pixel, channel);
  fetch_rows(line, column, Positions, channels.first());
  const Vector start = result.bias ? load_lanes(result.bias + channel, lanes) : Vector{};
  Vector sums[Positions];
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p) sums[p] = start;
  for (const auto* row = line.rows; row < line.end; ++row)
    visit_taps<Step>(line.taps, [&](auto count, int64_t tap) __attribute__((always_inline)) {
      constexpr int kTaps = decltype(count)::kValue;
      Vector weights[kTaps];
      const float* from = row->weights + line.weight_start + tap * line.weight_step + channel;
      CONVISTA_UNROLL
      for (int k = 0; k < kTaps; ++k) weights[k] = load_lanes(from + k * line.weight_step, lanes);
      visit_inputs<kTaps, Positions, Step, Checked>(row->source, column + tap * line.tap_step, line.step, line.columns, line.source_pixel,
                                                    channels, [&](int p, int k, Vector value) __attribute__((always_inline)) {
                                                      sums[p] += value * weights[k];
                                                    });
    });
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p)
    if (!Checked || p < live) store_lanes(target + p * result.pixel, result.relu ? relu_of(sums[p]) : sums[p], lanes);
}

struct DepthwiseProducts {
  const float* dy;
  int64_t pixel;     // floats between two positions of dy
  float* bias_sums;  // or null
};

// Adds to the sums that the rows' weights are: taps × padded channels.
template <int Positions, int Step, bool Checked, typename Channels>
inline __attribute__((always_inline)) void strip_vector(const DepthwiseLine<float>& line, const DepthwiseProducts& of, int64_t position, int live,
                                                      int64_t channel, int lanes) {
  const Channels channels(line.times, channel, lanes);
  const int64_t column = line.start + position * line.step;
  const float* dy = of.dy + position * of.pixel + channel;
  fetch_positions<Positions>(dy, of.pixel, channel);
  fetch_rows(line, column, Positions, channels.first());
  Vector values[Positions];
  CONVISTA_UNROLL
  for (int p = 0; p < Positions; ++p) values[p] = !Checked || p < live ? load_lanes(dy + p * of.pixel, lanes) : Vector{};
  if (of.bias_sums) {
    Vector sum = load(of.bias_sums + channel);
    CONVISTA_UNROLL
    for (int p = 0; p < Positions; ++p) sum += values[p];
    store(of.bias_sums + channel, sum);
  }
  for (const auto* row = line.rows; row < line.end; ++row)
    visit_taps<Step>(line.taps, [&](auto count, int64_t tap) __attribute__((always_inline)) {
      constexpr int kTaps = decltype(count)::kValue;
      Vector sums[kTaps];
      float* to = row->weights + line.weight_start + tap * line.weight_step + channel;
      CONVISTA_UNROLL
      for (int k = 0; k < kTaps; ++k) sums[k] = load(to + k * line.weight_step);
      visit_inputs<kTaps, Positions, Step, Checked>(row->source, column + tap * line.tap_step, line.step, line.columns, line.source_pixel,
                                                    channels, [&](int p, int k, Vector value) __attribute__((always_inline)) {
                                                      if (!Checked || p < live) sums[k] += value * values[p];
                                                    });
      CONVISTA_UNROLL
      for (int k = 0; k < kTaps; ++k) store(to + k * line.weight_step, sums[k]);
    });
}

template <int Positions, int Step, bool Checked, typename Channels, typename Weight, typename Result>
void strip_vectors(DepthwiseLine<Weight> line, Result result, int64_t position, int live) {
  int64_t channel = 0;
  for (; channel + kWidth <= line.channels; channel += kWidth)
    strip_vector<Positions, Step, Checked, Channels>(line, result, position, live, channel, kWidth);
  if (channel < line.channels)
    strip_vector<Positions, Step, Checked, Channels>(line, result, position, live, channel, static_cast<int>(line.channels - channel));
}

template <int Positions, int Step, typename Channels, typename Weight, typename Result>
void depthwise_strip(const DepthwiseLine<Weight>& line, const Result& result, int64_t position, int live) {
  const int64_t first = line.start + position * line.step;
  const int64_t last = first + (Positions - 1) * line.step + (line.taps - 1) * line.tap_step;
  if (live == Positions && first >= 0 && last < line.columns) {
    strip_vectors<Positions, Step, false, Channels>(line, result, position, live);
  } else {
    strip_vectors<Positions, Step, true, Channels>(line, result, position, live);
  }
}

constexpr int kStripPositions = 8;

template <int Step, typename Channels, typename Weight, typename Result>
void depthwise_strips(const DepthwiseLine<Weight>& line, const Result& result, int64_t positions) {
  int64_t position = 0;
  for (; positions - position > 4; position += kStripPositions)
    depthwise_strip<kStripPositions, Step, Channels>(line, result, position, static_cast<int>(smaller(positions - position, kStripPositions)));
  if (position < positions) depthwise_strip<4, Step, Channels>(line, result, position, static_cast<int>(positions - position));
}

template <typename Channels, typename Weight, typename Result>
void depthwise_line(const DepthwiseLine<Weight>& line, const Result& result, int64_t positions) {
  if (line.tap_step == 1 && line.step == 1) return depthwise_strips<1, Channels>(line, result, positions);
  if (line.tap_step == 1 && line.step == 2) return depthwise_strips<2, Channels>(line, result, positions);
  depthwise_strips<0, Channels>(line, result, positions);
}

}  // namespace convista::CONVISTA_TARGET
