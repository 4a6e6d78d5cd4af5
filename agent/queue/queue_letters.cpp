// SPDX-License-Identifier: Apache-2.0
// What becomes of a queue's dead letters.
#include <algorithm>
#include <utility>

#include "queue/keeper.hpp"
#include "queue/queue.hpp"

namespace sluice::queue {
namespace {

constexpr std::size_t letters_a_portion = 500;

}  // namespace

std::vector<DeadLetter> Queue::read_dead_letters(std::uint64_t after, std::size_t max) {
  std::vector<DeadLetter> letters;
  storage_.execute([&] { letters = keeper_->read_dead_letters(after, max); });
  for (DeadLetter& letter : letters) {
    if (letter.delivery) correct(*letter.delivery);
  }
  return letters;
}

// Hands over those that are there now, in portions, so that the storage thread serves the others in between, until
// `portion` answers false: not what is refused again meanwhile.
void Queue::for_dead_letters(const std::function<bool(std::vector<DeadLetter>&&)>& portion) {
  std::uint64_t newest = 0;
  storage_.execute([&] { newest = keeper_->newest_dead_letter(); });
  for (std::uint64_t after = 0; after < newest;) {
    std::vector<DeadLetter> letters = read_dead_letters(after, letters_a_portion);
    std::erase_if(letters, [newest](const DeadLetter& letter) { return letter.number > newest; });
    if (letters.empty()) return;
    after = letters.back().number;
    if (!portion(std::move(letters))) return;
  }
}

Queue::Retried Queue::retry_dead_letters(const WhichLetters& which) {
  Retried retried;
  for_dead_letters([&](std::vector<DeadLetter>&& letters) {
    std::vector<Delivery> deliveries;
    std::vector<std::string> ids;
    for (DeadLetter& letter : letters) {
      if (!which(letter)) continue;
      if (!letter.delivery) {
        retried.unreadable.push_back(letter.id);
        continue;
      }
      deliveries.push_back(std::move(*letter.delivery));
      ids.push_back(std::move(letter.id));
    }
    for (std::size_t done = 0; done < deliveries.size();) {
      const std::size_t committed = commit(std::span(deliveries).subspan(done));
      storage_.execute([&] {
        keeper_->remove_dead_letters(std::span(ids).subspan(done, committed), DeadLetters::Fate::retried);
      });
      done += committed;
      retried.count += committed;
      retried.full = committed == 0;
      if (retried.full) return false;
    }
    return true;
  });
  return retried;
}

std::uint64_t Queue::drop_dead_letters(const WhichLetters& which) {
  std::uint64_t dropped = 0;
  for_dead_letters([&](std::vector<DeadLetter>&& letters) {
    std::vector<std::string> ids;
    for (DeadLetter& letter : letters) {
      if (which(letter)) ids.push_back(std::move(letter.id));
    }
    storage_.execute([&] { dropped += keeper_->remove_dead_letters(ids, DeadLetters::Fate::dropped); });
    return true;
  });
  return dropped;
}

}  // namespace sluice::queue
