// SPDX-License-Identifier: Apache-2.0
//
// Protocol data units: a function code and what belongs to it, without the frame of TCP or RTU around it. Pure functions.
// (Modbus Application Protocol V1.1b3, chapters 6 and 7.)
#pragma once

#include "codec.hpp"
#include "plan.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::modbus {

using Pdu = std::vector<std::uint8_t>;

Pdu read_pdu(Kind kind, std::uint16_t address, std::uint16_t count);
// One coil or register by function 5 or 6; several, or where `multiple` says so, by 15 or 16.
Pdu write_pdu(Kind kind, std::uint16_t address, const std::vector<std::uint16_t>& words, bool multiple);

// The exception code of the reply, 0 where it is none.
std::uint8_t exception_of(const Pdu& reply);
// "illegal data address (exception 2)"
std::string exception_text(std::uint8_t code);

// What is wrong with a reply to that request: another function, another length, another echo. Empty: nothing. An
// exception reply to the same function is right.
std::string mismatch(const Pdu& request, const Pdu& reply);

// The registers, or the bits as words of 0 and 1, of a reply that matches its request.
std::vector<std::uint16_t> words_of(const Pdu& request, const Pdu& reply);

// "01 03 00 0A", for traces.
std::string hex(const std::uint8_t* bytes, std::size_t count);

}  // namespace sluice::modbus
