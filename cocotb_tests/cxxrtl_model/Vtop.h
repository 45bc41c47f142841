// A design as CXXRTL simulates it, with the members of a Verilated model that `driver.cpp` drives.
//
// So both simulators are driven and judged by the same code and share nothing else. Included after
// IN_BYTES and OUT_BYTES are defined, with `design.cc`, the generated model, in the include path;
// TOP is the model's class, RANDOM_STATE whether registers start at random as in hardware (1), or
// with the values that the Verilog gives them (0).

#ifndef FINESCALE_CXXRTL_VTOP_H
#define FINESCALE_CXXRTL_VTOP_H

#include <cstddef>
#include <cstdint>

#include "design.cc"
#include "verilated.h"

namespace finescale_cxxrtl {

constexpr std::size_t kChunk = sizeof(uint32_t);

template <std::size_t Bits>
void put(cxxrtl::value<Bits>& port, const unsigned char* bytes, std::size_t count) {
    for (auto& chunk : port.data) chunk = 0;
    for (std::size_t k = 0; k < count; ++k)
        port.data[k / kChunk] |= static_cast<uint32_t>(bytes[k]) << (8 * (k % kChunk));
}

template <std::size_t Bits>
void take(const cxxrtl::value<Bits>& port, unsigned char* bytes, std::size_t count) {
    for (std::size_t k = 0; k < count; ++k)
        bytes[k] = static_cast<unsigned char>(port.data[k / kChunk] >> (8 * (k % kChunk)));
}

template <std::size_t Bits>
void take(const cxxrtl::wire<Bits>& port, unsigned char* bytes, std::size_t count) {
    take(port.curr, bytes, count);
}

}  // namespace finescale_cxxrtl

struct Vtop {
    unsigned char clk = 0, rst = 0, i_valid = 0, o_ready = 0, i_ready = 0, o_valid = 0;
    unsigned char i_payload[IN_BYTES] = {}, o_payload[OUT_BYTES] = {};

    explicit Vtop(VerilatedContext* context) {
        if (RANDOM_STATE) draw_registers(context->seed);
        eval();
    }

    void eval() {
        using namespace finescale_cxxrtl;
        put(design_.p_clk, &clk, 1);
        put(design_.p_rst, &rst, 1);
        put(design_.p_i__valid, &i_valid, 1);
        put(design_.p_o__ready, &o_ready, 1);
        put(design_.p_i__payload, i_payload, IN_BYTES);
        design_.step();
        take(design_.p_i__ready, &i_ready, 1);
        take(design_.p_o__valid, &o_valid, 1);
        take(design_.p_o__payload, o_payload, OUT_BYTES);
    }

  private:
    void draw_registers(uint64_t state) {
        cxxrtl::debug_items items;
        design_.debug_info(&items, nullptr, "", {});
        for (auto& entry : items.table) {
            for (auto& item : entry.second) {
                const bool memory = item.type == cxxrtl::debug_item::MEMORY;
                const bool sync = item.flags & cxxrtl::debug_item::DRIVEN_SYNC;
                if (!memory && !(item.type == cxxrtl::debug_item::WIRE && sync)) continue;
                const std::size_t chunks = (item.width + 31) / 32;
                for (std::size_t k = 0; k < chunks * item.depth; ++k) {
                    state = state * 6364136223846793005u + 1442695040888963407u;
                    uint32_t bits = static_cast<uint32_t>(state >> 32);
                    if (item.width % 32 && k % chunks == chunks - 1)
                        bits &= (uint32_t(1) << item.width % 32) - 1;
                    item.curr[k] = bits;
                    if (item.next) item.next[k] = bits;
                }
            }
        }
    }

    cxxrtl_design::TOP design_;
};

#endif
