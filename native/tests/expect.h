// Counting what holds and printing what does not.
#pragma once
#include <cstdio>
#include <string>

inline long checks = 0;
inline int failures = 0;

inline void expect(bool right, const std::string& what) {
  ++checks;
  if (right) return;
  if (++failures <= 20) std::printf("WRONG %s\n", what.c_str());
}

inline int verdict() {
  std::printf("%ld checks, %d wrong\n", checks, failures);
  return failures != 0;
}
