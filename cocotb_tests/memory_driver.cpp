// Drives the Verilated model of a tensor quantizer (spec §24) between its commands and a memory.
//
// Included by a generated file that defines WIDTH (bytes of a memory word), COMMAND_BYTES and
// STATUS_BYTES. It judges the handshakes and the addresses; bytes are compared in Python.
//
//   program IMAGE OUTPUT COMMANDS LATENCY READS REQUEST READ WRITE STATUS HOLD SEED IDLE_LIMIT
//
// IMAGE and OUTPUT are the memory before and after; COMMANDS holds COMMAND_BYTES for each command.
// A word asked for in cycle t is offered in cycle t + LATENCY at the earliest, in order, one per
// cycle; while READS words are under way no request is taken. REQUEST, READ, WRITE and STATUS are
// the chances, of 256, that a side does not pause; HOLD is the longest run of cycles that one draw
// lasts. One cycle is: inputs change with the falling edge, all is sampled before the rising edge.

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <string>
#include <vector>

#include "Vtop.h"
#include "verilated.h"

double sc_time_stamp() { return 0; }

namespace {

constexpr unsigned kAlways = 256;
constexpr unsigned kDrain = 1024;  // cycles in which nothing more may come
constexpr size_t kWriteBytes = 4 + WIDTH + WIDTH / 8;

using Bytes = std::vector<unsigned char>;

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

// An output stream of the design: what is offered stays until it is taken (spec §12.2).
struct Watched {
    const char* name;
    bool waiting = false;
    Bytes held;
    std::string look(bool valid, bool ready, const void* payload, size_t bytes) {
        const auto* now = static_cast<const unsigned char*>(payload);
        if (waiting && !valid) return std::string(name) + "_valid fell before the word was taken";
        if (waiting && std::memcmp(held.data(), now, bytes) != 0)
            return std::string(name) + "_payload changed before the word was taken";
        waiting = valid && !ready;
        if (waiting) held.assign(now, now + bytes);
        return "";
    }
};

struct Result {
    uint64_t cycles = 0, reads = 0, writes = 0, written = 0;
    Bytes status = Bytes(STATUS_BYTES);
};

struct Under { uint64_t due; size_t address; };

struct Context : VerilatedContext {
    explicit Context(uint64_t seed) {
        randReset(2);  // registers without a reset start at random, as they do in hardware
        randSeed(static_cast<int>(seed % INT32_MAX) + 1);
    }
};

Bytes load(const char* path) {
    FILE* file = std::fopen(path, "rb");
    Bytes data;
    unsigned char part[1 << 16];
    size_t n;
    while (file && (n = std::fread(part, 1, sizeof part, file)) > 0)
        data.insert(data.end(), part, part + n);
    if (!file || std::ferror(file)) {
        std::fprintf(stderr, "%s: cannot be read\n", path);
        std::exit(2);
    }
    std::fclose(file);
    return data;
}

class Driver {
  public:
    Driver(char** argv)
        : memory(load(argv[1])), commands_(load(argv[3])), latency_(number(argv[4])),
          reads_(number(argv[5])), context_{number(argv[11])}, top_{&context_},
          random_{number(argv[11]) * 2 + 1}, idle_limit_(number(argv[12])) {
        const auto hold = static_cast<unsigned>(number(argv[10]));
        for (int k = 0; k < 4; ++k)
            pauses_[k] = Pauses{static_cast<unsigned>(number(argv[6 + k])), hold};
        for (int k = 0; k < 8; ++k) random_.next();
    }

    void run() {
        reset();
        const size_t count = commands_.size() / COMMAND_BYTES;
        uint64_t progress = cycle;
        while (results.size() < count && problem.empty()) {
            if (step(count)) progress = cycle;
            if (cycle - progress > idle_limit_)
                problem = "no transfer for " + std::to_string(idle_limit_) + " cycles";
        }
        for (unsigned k = 0; k < kDrain && problem.empty(); ++k)
            if (step(count)) problem = "something moves after the last command";
    }

    Bytes memory;
    uint64_t cycle = 0;
    size_t most = 0;  // the most reads that were under way
    std::vector<Result> results;
    std::string problem;

  private:
    static uint64_t number(const char* text) { return std::strtoull(text, nullptr, 10); }

    void settle() {
        top_.clk = 0;
        top_.eval();
    }

    void edge() {
        top_.clk = 1;
        top_.eval();
        ++cycle;
    }

    void reset() {
        top_.rst = 1;
        top_.command_valid = top_.request_ready = top_.read_valid = 0;
        top_.write_ready = top_.status_ready = 0;
        for (int k = 0; k < 2; ++k) {
            settle();
            edge();
        }
        top_.rst = 0;
        cycle = 0;
    }

    void fail(const std::string& text) {
        if (problem.empty() && !text.empty()) problem = text + " in cycle " + std::to_string(cycle);
    }

    // One clock cycle; true if a word was transferred anywhere.
    bool step(size_t count) {
        top_.command_valid = sent_ < count;
        if (sent_ < count)
            std::memcpy(&top_.command_payload, &commands_[sent_ * COMMAND_BYTES], COMMAND_BYTES);
        top_.request_ready = pauses_[0].draw(random_) && under_.size() < reads_;
        const bool there = !under_.empty() && under_.front().due <= cycle;
        const bool go = pauses_[1].draw(random_);
        offered_ = there && (offered_ || go);
        top_.read_valid = offered_;
        if (offered_) std::memcpy(&top_.read_payload, &memory[under_.front().address], WIDTH);
        top_.write_ready = pauses_[2].draw(random_);
        top_.status_ready = pauses_[3].draw(random_);
        settle();

        bool moved = false;
        fail(request_.look(top_.request_valid, top_.request_ready, &top_.request_payload, 4));
        fail(write_.look(top_.write_valid, top_.write_ready, &top_.write_payload, kWriteBytes));
        fail(status_.look(top_.status_valid, top_.status_ready, &top_.status_payload,
                          STATUS_BYTES));
        if (top_.command_valid && top_.command_ready) {
            start_ = cycle;
            now_ = Result{};
            shown_ = false;
            ++sent_;
            moved = true;
        }
        if (top_.status_valid && !shown_) {
            now_.cycles = cycle - start_;
            shown_ = true;
        }
        if (top_.read_valid && top_.read_ready) {
            under_.pop_front();
            offered_ = false;
            moved = true;
        }
        if (top_.request_valid && top_.request_ready) {
            request(top_.request_payload);
            moved = true;
        }
        if (top_.write_valid && top_.write_ready) {
            write(reinterpret_cast<const unsigned char*>(&top_.write_payload));
            moved = true;
        }
        if (top_.status_valid && top_.status_ready) {
            std::memcpy(now_.status.data(), &top_.status_payload, STATUS_BYTES);
            results.push_back(now_);
            moved = true;
        }
        edge();
        return moved;
    }

    void request(size_t address) {
        if (address % WIDTH || address + WIDTH > memory.size()) {
            fail("read of address " + std::to_string(address));
            return;
        }
        under_.push_back({cycle + latency_, address});
        if (under_.size() > most) most = under_.size();
        ++now_.reads;
    }

    void write(const unsigned char* word) {
        uint32_t address;
        std::memcpy(&address, word, 4);
        if (address % WIDTH || static_cast<size_t>(address) + WIDTH > memory.size()) {
            fail("write to address " + std::to_string(address));
            return;
        }
        ++now_.writes;
        for (size_t k = 0; k < WIDTH; ++k) {
            if (!(word[4 + WIDTH + k / 8] >> (k % 8) & 1)) continue;
            memory[address + k] = word[4 + k];
            ++now_.written;
        }
    }

    Bytes commands_;
    uint64_t latency_;
    size_t reads_;
    Context context_;
    Vtop top_;
    Random random_;
    uint64_t idle_limit_;
    Pauses pauses_[4];
    std::deque<Under> under_;
    bool offered_ = false, shown_ = false;
    Watched request_{"request"}, write_{"write"}, status_{"status"};
    size_t sent_ = 0;
    uint64_t start_ = 0;
    Result now_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 13) {
        std::fprintf(stderr, "usage: %s IMAGE OUTPUT COMMANDS LATENCY ...\n", argv[0]);
        return 2;
    }
    Driver driver(argv);
    const std::clock_t start = std::clock();
    driver.run();
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    FILE* file = std::fopen(argv[2], "wb");
    if (!file ||
        std::fwrite(driver.memory.data(), 1, driver.memory.size(), file) != driver.memory.size() ||
        std::fclose(file)) {
        std::fprintf(stderr, "%s: cannot be written\n", argv[2]);
        return 2;
    }
    std::printf("{\"cycles\": %" PRIu64 ", \"most\": %zu, \"seconds\": %.6f, \"problem\": \"%s\", ",
                driver.cycle, driver.most, seconds, driver.problem.c_str());
    std::printf("\"results\": [");
    for (size_t k = 0; k < driver.results.size(); ++k) {
        const Result& r = driver.results[k];
        std::printf("%s{\"cycles\": %" PRIu64 ", \"reads\": %" PRIu64 ", \"writes\": %" PRIu64
                    ", \"written\": %" PRIu64 ", \"status\": \"",
                    k ? ", " : "", r.cycles, r.reads, r.writes, r.written);
        for (unsigned char byte : r.status) std::printf("%02x", byte);
        std::printf("\"}");
    }
    std::printf("]}\n");
    return 0;
}
