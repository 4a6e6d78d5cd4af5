// SPDX-License-Identifier: Apache-2.0
// What is published of a message and of a batch, and that nothing of one stands in the next.
#include "publication_writer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace sluice {
namespace {

using Id = PublicationOptions::Id;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// With everything that a publication can have.
queue::Outgoing rich() {
  auto message = std::make_shared<Message>();
  message->topic = "plant/a";
  message->payload = "opaque";
  message->content_type = "text/x-test";
  message->response_topic = "answers/a";
  message->correlation_data = "c-1";
  message->user_properties = {{"site", "north"}};
  message->retain = true;
  queue::Outgoing outgoing{7, "3/7", {}, false};
  outgoing.delivery.message = std::move(message);
  outgoing.delivery.options.qos = 2;
  return outgoing;
}

queue::Outgoing plain(std::uint64_t sequence) {
  auto message = std::make_shared<Message>();
  message->topic = "plant/b";
  message->samples = {{"value", std::int64_t{21}, Quality::good, ""}};
  queue::Outgoing outgoing{sequence, "3/" + std::to_string(sequence), {}, false};
  outgoing.delivery.message = std::move(message);
  return outgoing;
}

Parcel batch() {
  Parcel parcel;
  parcel.batched = true;
  parcel.parts = {plain(8), plain(9)};
  return parcel;
}

TEST(PublicationWriter, SaysAllThatAMessageHas) {
  PublicationWriter writer({Id::property, true});
  const mqtt::Publication& publication = writer.write(rich(), seconds(60), true);
  EXPECT_EQ(publication.topic, "plant/a");
  EXPECT_EQ(publication.payload, "opaque");
  EXPECT_EQ(publication.qos, 2);
  EXPECT_TRUE(publication.retain);
  EXPECT_EQ(publication.expiry, seconds(60));
  EXPECT_EQ(publication.content_type, "text/x-test");
  EXPECT_EQ(publication.response_topic, "answers/a");
  EXPECT_EQ(publication.correlation_data, "c-1");
  EXPECT_THAT(publication.user_properties,
              ElementsAre(Pair("site", "north"), Pair("id", "3/7"), Pair("replayed", "true")));
}

TEST(PublicationWriter, LeavesNothingOfOneInTheNext) {
  PublicationWriter writer({Id::none, true});
  writer.write(rich(), seconds(60), true).token = 5;
  const mqtt::Publication& publication = writer.write(plain(8), seconds(0), false);
  EXPECT_EQ(publication.topic, "plant/b");
  EXPECT_EQ(nlohmann::json::parse(publication.payload)["value"], 21);
  EXPECT_EQ(publication.qos, 1);
  EXPECT_FALSE(publication.retain);
  EXPECT_EQ(publication.expiry, seconds(0));
  EXPECT_EQ(publication.content_type, "application/json");
  EXPECT_THAT(publication.response_topic, IsEmpty());
  EXPECT_THAT(publication.correlation_data, IsEmpty());
  EXPECT_THAT(publication.user_properties, IsEmpty());
  EXPECT_EQ(publication.token, 0U);

  writer.write(rich(), seconds(60), true).token = 5;
  const mqtt::Publication& batched = writer.write(batch(), seconds(0), false);
  EXPECT_EQ(nlohmann::json::parse(batched.payload).size(), 2U);
  EXPECT_FALSE(batched.retain);
  EXPECT_THAT(batched.response_topic, IsEmpty());
  EXPECT_THAT(batched.user_properties, IsEmpty());
  EXPECT_EQ(batched.token, 0U);
}

TEST(PublicationWriter, SaysNoPropertiesToASessionThatHasNone) {
  PublicationWriter writer({Id::property, false});
  for (const Parcel& parcel : {batch(), Parcel{{rich()}}}) {
    const mqtt::Publication& publication = writer.write(parcel, seconds(60), true);
    EXPECT_EQ(publication.expiry, seconds(0));
    EXPECT_THAT(publication.content_type, IsEmpty());
    EXPECT_THAT(publication.response_topic, IsEmpty());
    EXPECT_THAT(publication.correlation_data, IsEmpty());
    EXPECT_THAT(publication.user_properties, IsEmpty());
  }
}

TEST(PublicationWriter, PutsIdsAndMarksIntoThePayloadWhereTheyAreWantedThere) {
  PublicationWriter writer({Id::payload, true});
  const auto alone = nlohmann::json::parse(writer.write(plain(8), seconds(0), true).payload);
  EXPECT_EQ(alone["id"], "3/8");
  EXPECT_EQ(alone["replayed"], true);
  const mqtt::Publication& publication = writer.write(plain(8), seconds(0), false);
  EXPECT_FALSE(nlohmann::json::parse(publication.payload).contains("replayed"));
  EXPECT_THAT(publication.user_properties, IsEmpty());

  const auto marked = nlohmann::json::parse(writer.write(batch(), seconds(0), true).payload);
  EXPECT_EQ(marked[1]["id"], "3/9");
  EXPECT_EQ(marked[1]["replayed"], true);
  const auto unmarked = nlohmann::json::parse(writer.write(batch(), seconds(0), false).payload);
  EXPECT_FALSE(unmarked[1].contains("replayed"));
}

TEST(PublicationWriter, MarksABatchInAPropertyAndItsElementsByTheirIds) {
  PublicationWriter writer({Id::property, true});
  const mqtt::Publication& publication = writer.write(batch(), seconds(60), true);
  EXPECT_EQ(publication.expiry, seconds(60));
  EXPECT_EQ(publication.content_type, "application/json");
  EXPECT_THAT(publication.user_properties, ElementsAre(Pair("replayed", "true")));
  const auto elements = nlohmann::json::parse(publication.payload);
  EXPECT_EQ(elements[0]["id"], "3/8");
  EXPECT_FALSE(elements[0].contains("replayed"));
}

// An answer to a command has none.
TEST(PublicationWriter, SaysNoIdWhereThereIsNone) {
  queue::Outgoing without = plain(8);
  without.id.clear();
  PublicationWriter by_property({Id::property, true});
  EXPECT_THAT(by_property.write(without, seconds(0), false).user_properties, IsEmpty());
  PublicationWriter in_payload({Id::payload, true});
  EXPECT_FALSE(nlohmann::json::parse(in_payload.write(without, seconds(0), false).payload).contains("id"));
}

TEST(PublicationWriter, DoesNotKeepTheMemoryOfALargePayload) {
  auto large = std::make_shared<Message>();
  large->topic = "plant/c";
  large->payload = std::string(std::size_t{1} << 20U, 'x');
  queue::Outgoing outgoing{9, "3/9", {}, false};
  outgoing.delivery.message = std::move(large);
  PublicationWriter writer({Id::none, true});
  EXPECT_EQ(writer.write(outgoing, seconds(0), false).payload.size(), std::size_t{1} << 20U);
  EXPECT_LE(writer.write(plain(8), seconds(0), false).payload.capacity(), std::size_t{64} << 10U);
}

}  // namespace
}  // namespace sluice
