// Walks an input space of a combinational unit and compares every result with a table.
//
// Included by a generated file that defines LANES numbers per evaluation, IN_BITS (8, 16 or 32) and
// OUT_BITS (4 or 8) per number, IN_PORT, OUT_PORT and, for a unit with a setting, SETTING_PORT.
//
//   program TABLE FIRST LAST
//
// TABLE holds uint32 words: the number of settings, then for each the setting, its number of
// segments, and per segment the first input pattern and the result (kSkip: any). Segments are in
// order and cover the space. FIRST and LAST are numbers of LANES patterns each; LAST is excluded.
// Prints the number of patterns compared and of mismatches, then the first mismatches.

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

namespace {

constexpr uint32_t kSkip = 0xffffffff;
constexpr int kShown = 10;

struct Segment {
    uint32_t first, result;
};

struct Setting {
    uint32_t value;
    std::vector<Segment> segments;
};

std::vector<Setting> read_table(const char* path) {
    FILE* file = std::fopen(path, "rb");
    std::vector<uint32_t> words;
    uint32_t word;
    while (file && std::fread(&word, sizeof word, 1, file) == 1) words.push_back(word);
    if (file) std::fclose(file);
    size_t at = 0;
    const auto next = [&]() -> uint32_t {
        if (at >= words.size()) {
            std::fprintf(stderr, "%s: the table is incomplete\n", path);
            std::exit(2);
        }
        return words[at++];
    };
    std::vector<Setting> settings(next());
    for (Setting& setting : settings) {
        setting.value = next();
        setting.segments.resize(next());
        for (Segment& segment : setting.segments) {
            segment.first = next();
            segment.result = next();
        }
    }
    return settings;
}

unsigned result_of_lane(const unsigned char* out, unsigned lane) {
    if (OUT_BITS == 8) return out[lane];
    return (out[lane / 2] >> (lane % 2 * 4)) & 15;
}

}  // namespace

double sc_time_stamp() { return 0; }

int main(int argc, char** argv) {
    if (argc != 4) return 2;
    const std::vector<Setting> settings = read_table(argv[1]);
    const uint64_t first = std::strtoull(argv[2], nullptr, 0);
    const uint64_t last = std::strtoull(argv[3], nullptr, 0);
    VerilatedContext context;
    Vtop top{&context};
    unsigned char in[LANES * IN_BITS / 8], want[LANES * OUT_BITS / 8];
    const unsigned char* out = reinterpret_cast<const unsigned char*>(&top.OUT_PORT);
    uint64_t compared = 0, mismatches = 0;

    for (const Setting& setting : settings) {
#ifdef SETTING_PORT
        top.SETTING_PORT = setting.value;
#endif
        const std::vector<Segment>& segments = setting.segments;
        size_t at = 0;
        for (uint64_t group = first; group < last; ++group) {
            const uint64_t base = group * LANES;
            for (unsigned lane = 0; lane < LANES; ++lane) {
                const uint32_t x = static_cast<uint32_t>(base + lane);
                std::memcpy(in + lane * (IN_BITS / 8), &x, IN_BITS / 8);
            }
            std::memcpy(&top.IN_PORT, in, sizeof in);
            top.eval();
            while (at + 1 < segments.size() && segments[at + 1].first <= base) ++at;
            const bool whole =
                at + 1 == segments.size() || segments[at + 1].first >= base + LANES;
            const uint32_t result = segments[at].result;
            if (whole && result != kSkip) {
                std::memset(want, OUT_BITS == 8 ? result : result * 17, sizeof want);
                if (std::memcmp(out, want, sizeof want) == 0) {
                    compared += LANES;
                    continue;
                }
            }
            size_t here = at;
            for (unsigned lane = 0; lane < LANES; ++lane) {
                while (here + 1 < segments.size() && segments[here + 1].first <= base + lane) ++here;
                if (segments[here].result == kSkip) continue;
                ++compared;
                const unsigned dut = result_of_lane(out, lane);
                if (dut == segments[here].result) continue;
                if (mismatches++ < kShown) {
                    std::printf("mismatch %" PRIu32 " %" PRIu64 " %u %" PRIu32 "\n", setting.value,
                                base + lane, dut, segments[here].result);
                }
            }
        }
    }
    std::printf("compared %" PRIu64 " mismatches %" PRIu64 "\n", compared, mismatches);
    return 0;
}
