// Bytes in and out of the ports of a model that CXXRTL made, and random first values of registers.

#ifndef FINESCALE_CXXRTL_PORTS_H
#define FINESCALE_CXXRTL_PORTS_H

#include <cstddef>
#include <cstdint>

#include <cxxrtl/cxxrtl.h>

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

// Registers and memories start at random, as they do in hardware.
template <class Design>
void draw_registers(Design& design, uint64_t state) {
    cxxrtl::debug_items items;
    design.debug_info(&items, nullptr, "", {});
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

}  // namespace finescale_cxxrtl

#endif
