// Drives the Verilated model of a quantizer without VPI: binary words in, binary words out.
//
// Included by a generated file that defines IN_BYTES and OUT_BYTES (bytes of i_payload and
// o_payload), LAST_BIT (the bit of i_payload that calls for an output word, -1 if all words do) and, where the program is to serve cocotb as well, COCOTB_MAIN (cocotb's own main
// file). It judges nothing but the handshake (spec §12.2); the words are compared in Python.
//
//   program --bulk STIMULUS OUTPUT WORDS VALID READY HOLD SEED RESET_CYCLE IDLE_LIMIT [+plusargs]
//   program --bare STIMULUS WORDS
//
// VALID and READY are the chances, of 256, that a side does not pause; HOLD is the longest run of
// cycles that one draw lasts. RESET_CYCLE 0 means no reset in mid-stream. One cycle is: inputs
// change together with the falling edge, all signals are sampled before the rising edge.

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

#ifdef COCOTB_MAIN
#define main cocotb_main
#include COCOTB_MAIN
#undef main
#else
double sc_time_stamp() { return 0; }
#endif

namespace {

constexpr unsigned kAlways = 256;
constexpr unsigned kDrain = 64;  // cycles in which nothing more may come out
constexpr size_t kFilling = 16;  // accepted words that the interval leaves out
constexpr unsigned kResetCycles = 2;

struct Random {
    uint64_t state;
    unsigned next() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return static_cast<unsigned>(state >> 32);
    }
};

// One side's readiness: a draw lasts 1 to `hold` cycles, so that pauses come in bursts too.
struct Pauses {
    unsigned chance, hold, left = 0;
    bool go = true;
    bool draw(Random& random) {
        if (chance >= kAlways) return true;
        if (left == 0) {
            const unsigned r = random.next();
            go = (r & 255) < chance;
            left = 1 + (r >> 8) % hold;
        }
        --left;
        return go;
    }
};

// The model's constructor already draws the first values of registers, so that its context has to
// be set up before: registers without a reset start at random, as they do in hardware.
struct Context : VerilatedContext {
    explicit Context(uint64_t seed) {
        randReset(2);
        randSeed(static_cast<int>(seed % INT32_MAX) + 1);  // 0 would mean: by the time of day
    }
};

struct Bench {
    Context context;
    Vtop top{&context};
    uint64_t cycle = 0;

    explicit Bench(uint64_t seed) : context{seed} {}
    void settle() {
        top.clk = 0;
        top.eval();
    }
    void edge() {
        top.clk = 1;
        top.eval();
        ++cycle;
    }
    void reset() {
        top.rst = 1;
        top.i_valid = 0;
        top.o_ready = 0;
        for (unsigned k = 0; k < kResetCycles; ++k) {
            settle();
            edge();
        }
        top.rst = 0;
    }
    void offer(const unsigned char* word) { std::memcpy(&top.i_payload, word, IN_BYTES); }
};

struct Counts {
    size_t accepted = 0, emitted = 0, dropped_from = 0, dropped_to = 0, reset_at = 0;
    uint64_t first_accept = 0, last_accept = 0;
    uint64_t min_latency = UINT64_MAX, max_latency = 0;
    std::string problem;
};

class Driver {
  public:
    Driver(const std::vector<unsigned char>& in, size_t words, Pauses valid, Pauses ready,
           uint64_t seed, uint64_t reset_cycle, uint64_t idle_limit)
        : bench_{seed}, in_(in), words_(words), valid_(valid), ready_(ready), random_{seed * 2 + 1},
          reset_cycle_(reset_cycle), idle_limit_(idle_limit), accept_cycle_(words) {
        out.reserve((words + kDrain) * OUT_BYTES);
        for (int k = 0; k < 8; ++k) random_.next();
        size_t silent = 0;
        for (size_t k = 0; k < words; ++k) {
            due_ += calls(k);
            silent = calls(k) ? 0 : silent + 1;
            if (silent > silent_) silent_ = silent;
        }
    }

    void run(int argc, char** argv) {
        bench_.context.commandArgs(argc, argv);
        bench_.top.rst = 1;
        bench_.reset();
        drain("after reset");
        uint64_t progress_cycle = bench_.cycle;
        while ((shown_ < due_ || counts.accepted < words_) && counts.problem.empty()) {
            if (reset_cycle_ && bench_.cycle >= reset_cycle_) {
                reset_in_mid_stream();
                progress_cycle = bench_.cycle;
                continue;
            }
            if (step()) progress_cycle = bench_.cycle;
            if (bench_.cycle - progress_cycle > idle_limit_) {
                counts.problem = "no transfer for " + std::to_string(idle_limit_) + " cycles (i_ready=" +
                                 std::to_string(+bench_.top.i_ready) +
                                 ", o_valid=" + std::to_string(+bench_.top.o_valid) + ")";
            }
        }
        drain("after the last word");
        if (counts.problem.empty()) close_sink();
    }

    uint64_t cycles() const { return bench_.cycle; }
    Counts counts;
    std::vector<unsigned char> out;

  private:
    // One clock cycle; true if a word was transferred on either side.
    bool step() {
        Vtop& top = bench_.top;
        if (!offered_ && counts.accepted < words_ && valid_.draw(random_)) {
            bench_.offer(&in_[counts.accepted * IN_BYTES]);
            offered_ = true;
        }
        top.i_valid = offered_;
        top.o_ready = ready_.draw(random_);
        bench_.settle();
        const bool accept = offered_ && top.i_ready;
        const bool emit = sample();
        if (accept) {
            if (counts.accepted == std::min(kFilling, words_ / 2)) counts.first_accept = bench_.cycle;
            counts.last_accept = bench_.cycle;
            if (calls(counts.accepted)) accept_cycle_[called_++] = bench_.cycle;
            ++counts.accepted;
            offered_ = false;
        }
        if (fresh_) note_latency();
        bench_.edge();
        return accept || emit;
    }

    // Looks at the output of a settled cycle; true if a word is transferred.
    bool sample() {
        const Vtop& top = bench_.top;
        fresh_ = top.o_valid && !waiting_;
        if (waiting_ && !top.o_valid) return fail("o_valid fell before the word was taken");
        if (waiting_ && std::memcmp(held_, &top.o_payload, OUT_BYTES) != 0)
            return fail("o_payload changed before the word was taken");
        waiting_ = top.o_valid && !top.o_ready;
        if (waiting_) std::memcpy(held_, &top.o_payload, OUT_BYTES);
        if (!top.o_valid || !top.o_ready) return false;
        const auto* word = reinterpret_cast<const unsigned char*>(&top.o_payload);
        out.insert(out.end(), word, word + OUT_BYTES);
        ++counts.emitted;
        ++shown_;
        return true;
    }

    void note_latency() {
        const size_t k = waiting_ ? shown_ : shown_ - 1;  // the input this output belongs to
        if (k >= called_) {
            fail("a word came out that no input called for");
            return;
        }
        const uint64_t latency = bench_.cycle - accept_cycle_[k];
        if (latency < counts.min_latency) counts.min_latency = latency;
        if (latency > counts.max_latency) counts.max_latency = latency;
    }

    // Drops what is in flight (spec §12.4) and goes on with the first input not yet accepted.
    void reset_in_mid_stream() {
        reset_cycle_ = 0;
        counts.dropped_from = shown_;
        counts.dropped_to = called_;
        counts.reset_at = counts.accepted;
        bench_.reset();
        shown_ = called_;
        offered_ = waiting_ = false;
        drain("after reset");
    }

    void drain(const char* when) {
        const size_t before = counts.emitted;
        bench_.top.i_valid = 0;
        bench_.top.o_ready = 1;
        for (unsigned k = 0; k < kDrain && counts.problem.empty(); ++k) {
            bench_.settle();
            sample();
            bench_.edge();
        }
        if (counts.emitted != before && counts.problem.empty())
            fail((std::string("a word came out ") + when).c_str());
    }

    // Offers words to a sink that is never ready: valid does not wait for ready (spec §12.2).
    void close_sink() {
        Vtop& top = bench_.top;
        size_t next = 0;
        top.i_valid = 1;
        top.o_ready = 0;
        bench_.offer(&in_[0]);
        const uint64_t limit = counts.max_latency + kDrain + silent_;
        for (uint64_t k = 0; k < limit && counts.problem.empty(); ++k) {
            bench_.settle();
            sample();
            const bool accept = top.i_ready;
            bench_.edge();
            if (accept) bench_.offer(&in_[++next % words_ * IN_BYTES]);
        }
        if (!waiting_ && counts.problem.empty()) fail("o_valid waits for o_ready (spec §12.2)");
    }

    // Whether the k-th input word calls for an output word.
    bool calls(size_t k) const {
        return LAST_BIT < 0 || (in_[k * IN_BYTES + LAST_BIT / 8] >> (LAST_BIT & 7) & 1);
    }

    bool fail(const char* what) {
        counts.problem = "cycle " + std::to_string(bench_.cycle) + ": " + what;
        return false;
    }

    Bench bench_;
    const std::vector<unsigned char>& in_;
    const size_t words_;
    Pauses valid_, ready_;
    Random random_;
    uint64_t reset_cycle_;
    const uint64_t idle_limit_;
    std::vector<uint64_t> accept_cycle_;
    size_t due_ = 0, called_ = 0;  // output words called for: by all inputs, by the accepted ones
    size_t silent_ = 0;            // longest run of inputs that call for none
    size_t shown_ = 0;             // output words that are out or were dropped
    bool offered_ = false, waiting_ = false, fresh_ = false;
    unsigned char held_[OUT_BYTES] = {};
};

std::vector<unsigned char> read_words(const char* path, size_t words) {
    std::vector<unsigned char> data(words * IN_BYTES);
    FILE* file = std::fopen(path, "rb");
    if (!file || std::fread(data.data(), 1, data.size(), file) != data.size()) {
        std::fprintf(stderr, "%s: not %zu words of %d bytes\n", path, words, IN_BYTES);
        std::exit(2);
    }
    std::fclose(file);
    return data;
}

double seconds_since(std::clock_t start) {
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

int bulk(int argc, char** argv) {
    if (argc < 11) return 2;
    const auto number = [&](int k) { return std::strtoull(argv[k], nullptr, 10); };
    const size_t words = number(4);
    const auto hold = static_cast<unsigned>(number(7));
    const std::vector<unsigned char> in = read_words(argv[2], words);
    const std::clock_t start = std::clock();
    Driver driver(in, words, {static_cast<unsigned>(number(5)), hold},
                  {static_cast<unsigned>(number(6)), hold}, number(8), number(9), number(10));
    driver.run(argc, argv);
    const double seconds = seconds_since(start);
    FILE* file = std::fopen(argv[3], "wb");
    const std::vector<unsigned char>& out = driver.out;
    if (!file || std::fwrite(out.data(), 1, out.size(), file) != out.size() || std::fclose(file)) {
        std::fprintf(stderr, "%s: cannot be written\n", argv[3]);
        return 2;
    }
    const Counts& c = driver.counts;
    std::printf("{\"cycles\": %" PRIu64 ", \"accepted\": %zu, \"emitted\": %zu, ", driver.cycles(),
                c.accepted, c.emitted);
    std::printf("\"dropped_from\": %zu, \"dropped_to\": %zu, ", c.dropped_from, c.dropped_to);
    std::printf("\"reset_at\": %zu, \"first\": %zu, ", c.reset_at, std::min(kFilling, words / 2));
    std::printf("\"first_accept\": %" PRIu64 ", \"last_accept\": %" PRIu64 ", ", c.first_accept,
                c.last_accept);
    std::printf("\"min_latency\": %" PRIu64 ", \"max_latency\": %" PRIu64 ", ", c.min_latency,
                c.max_latency);
    std::printf("\"seconds\": %.6f, \"problem\": \"%s\"}\n", seconds, c.problem.c_str());
    return 0;
}

// The model alone: a payload is copied in and the clock ticks; nothing is read back.
int bare(char** argv) {
    const size_t words = std::strtoull(argv[3], nullptr, 10);
    const std::vector<unsigned char> in = read_words(argv[2], words);
    Bench bench{0};
    bench.reset();
    bench.top.i_valid = 1;
    bench.top.o_ready = 1;
    const std::clock_t start = std::clock();
    for (size_t k = 0; k < words; ++k) {
        bench.offer(&in[k * IN_BYTES]);
        bench.settle();
        bench.edge();
    }
    std::printf("{\"cycles\": %zu, \"seconds\": %.6f}\n", words, seconds_since(start));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string mode = argc > 1 ? argv[1] : "";
    if (mode == "--bulk") return bulk(argc, argv);
    if (mode == "--bare" && argc == 4) return bare(argv);
#ifdef COCOTB_MAIN
    return cocotb_main(argc, argv);
#else
    std::fprintf(stderr, "usage: %s --bulk ... | --bare ...\n", argv[0]);
    return 2;
#endif
}
