// A tensor quantizer as CXXRTL simulates it, with the members that `memory_driver.cpp` drives.
//
// So both simulators have the same memory, pauses and judgement. Included after WIDTH,
// COMMAND_BYTES and STATUS_BYTES are defined, with `design.cc`, the generated model, in the include
// path; TOP is the model's class, RANDOM_STATE whether registers start at random as in hardware
// (1), or with the values that the Verilog gives them (0).

#ifndef FINESCALE_CXXRTL_MEMORY_VTOP_H
#define FINESCALE_CXXRTL_MEMORY_VTOP_H

#include "design.cc"
#include "ports.h"
#include "verilated.h"

struct Vtop {
    unsigned char clk = 0, rst = 0;
    unsigned char command_valid = 0, command_ready = 0, command_payload[COMMAND_BYTES] = {};
    unsigned char request_valid = 0, request_ready = 0;
    uint32_t request_payload = 0;
    unsigned char read_valid = 0, read_ready = 0, read_payload[WIDTH] = {};
    unsigned char write_valid = 0, write_ready = 0, write_payload[4 + WIDTH + WIDTH / 8] = {};
    unsigned char status_valid = 0, status_ready = 0, status_payload[STATUS_BYTES] = {};

    explicit Vtop(VerilatedContext* context) {
        if (RANDOM_STATE) finescale_cxxrtl::draw_registers(design_, context->seed);
        eval();
    }

    void eval() {
        using namespace finescale_cxxrtl;
        put(design_.p_clk, &clk, 1);
        put(design_.p_rst, &rst, 1);
        put(design_.p_command__valid, &command_valid, 1);
        put(design_.p_command__payload, command_payload, COMMAND_BYTES);
        put(design_.p_request__ready, &request_ready, 1);
        put(design_.p_read__valid, &read_valid, 1);
        put(design_.p_read__payload, read_payload, WIDTH);
        put(design_.p_write__ready, &write_ready, 1);
        put(design_.p_status__ready, &status_ready, 1);
        design_.step();
        unsigned char address[4];
        take(design_.p_request__payload, address, 4);
        request_payload = address[0] | address[1] << 8 | address[2] << 16 | uint32_t(address[3]) << 24;
        take(design_.p_command__ready, &command_ready, 1);
        take(design_.p_request__valid, &request_valid, 1);
        take(design_.p_read__ready, &read_ready, 1);
        take(design_.p_write__valid, &write_valid, 1);
        take(design_.p_write__payload, write_payload, sizeof write_payload);
        take(design_.p_status__valid, &status_valid, 1);
        take(design_.p_status__payload, status_payload, STATUS_BYTES);
    }

  private:
    cxxrtl_design::TOP design_;
};

#endif
