"""Every limit has a test that reaches it, or a reason why nothing can. A new limit without an entry here fails.

The numbers themselves are held to their page in ``test_limits.py``.
"""

from __future__ import annotations

import re
from dataclasses import fields, replace
from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase

from quantumgate.errors import MalformedError
from quantumgate.wire import limits
from quantumgate.wire.messages import Init, Lists
from tests.house import ROOT
from tests.wire.test_messages import INIT

UNITS_OF_MEASURE = frozenset({"KIB", "MIB", "GIB", "DEFAULT_LIMITS"})
NOT_BUILT = {
    "FUTURE_SALT_ENTRIES": "salts from too far ahead are refused and not remembered",
    "CONTROL_RATE_BYTES": "control is coalesced within its budgets: nothing to cap (ADR 0011)",
    "transport_sealed_bytes": "one record is sealed ahead, and the socket's own mark bounds the rest",
    "progress_bytes": "progress is measured as a rate alone",
    "duplicate_drain_seconds": "a duplicate is closed like any other session",
}
"""Numbers that no code reads yet: nobody can reach them. To use one is to move it into REACHED."""

REACHED = {
    "FIRST_FLIGHT_BYTES": "attacks.test_rows_01_13_first_flight.CapTests.test_a_header_that_announces_too_much",
    "FIRST_FLIGHT_MCELIECE_BYTES":
        "core.handshake.test_responder.KeepingTests."
        "test_large_first_flights_where_mceliece_is_enabled",
    "MSG1_PAD_BYTES": "core.handshake.test_sizes.SizesTests.test_draws_reach_both_ends_and_not_further",
    "MSG2_TOTAL_BYTES": "core.handshake.test_handshake.DiallerSettingsTests.test_lengths_on_the_wire",
    "MSG3_TOTAL_BYTES": "core.handshake.test_handshake.DiallerSettingsTests.test_lengths_on_the_wire",
    "MESSAGE_STEP_BYTES": "core.handshake.test_sizes.SizesTests.test_totals",
    "CANDIDATE_KEYS": "core.handshake.test_settings.SettingsTests.test_at_most_four_candidates_the_likeliest_first",
    "RETRIES_PER_CONNECTION": "attacks.test_rows_01_13_identity.Row13Tests.test_a_second_retry",
    "ANSWERS_PER_SECOND": "core.test_replay.BudgetTests.test_a_burst_then_the_rate",
    "SALT_ENTRIES": "core.test_replay.ReplayTests.test_capacity_covers_twelve_minutes_of_the_budget",
    "OFFER_LIST_IDS": "wire.test_limits_reached.HereTests.test_the_longest_offer",
    "VERSION_LIST_IDS": "wire.test_limits_reached.HereTests.test_the_longest_list_of_versions",
    "TOKEN_BYTES": "wire.test_messages.FieldTests.test_token_and_versions",
    "TOKENS_KEPT": "core.test_tokens.PurseTests.test_no_more_peers_than_a_number",
    "TOKENS_USED_MAX":
        "core.test_tokens.KeyTests.test_a_key_with_too_many_used_tokens_goes_and_its_tokens_are_nothing",
    "PUZZLE_COUNT": "attacks.test_row_13_overload.Row13PuzzleTests.test_without_a_solution_and_with_a_torn_one",
    "PUZZLE_BITS_MIN": "core.test_overload.PuzzleTests.test_a_bit_less_for_each_second_with_all_the_room",
    "PUZZLE_BITS_MAX": "attacks.test_row_13_overload.Row13PuzzleTests.test_a_hostile_listener_asks_for_years_of_work",
    "cpu_reserve_share":
        "core.test_overload.TurnTests.test_the_known_have_the_reserve_then_what_is_for_all_then_they_wait",
    "turn_seconds": "attacks.test_row_13_overload.Row13LadderTests.test_who_waits_too_long_is_drained",
    "puzzle_seconds": "attacks.test_row_13_overload.Row13PuzzleTests.test_a_solution_that_takes_too_long",
    "puzzle_seed_seconds": "core.test_overload.PuzzleTests.test_the_seed_is_another_after_two_minutes",
    "overload_hold_seconds": "core.test_overload.StepTests.test_a_step_is_left_when_it_was_not_reached_for_a_while",
    "token_seconds": "core.test_tokens.MintTests.test_seven_days_to_the_second",
    "EARLY_RECORDS_BYTES": "core.handshake.test_responder.KeepingTests.test_records_before_the_verdict_are_bounded",
    "RECORD_HEADER_BYTES": "core.test_records.RecordTests.test_comes_back_in_order",
    "TAG_BYTES": "core.test_records.RecordTests.test_comes_back_in_order",
    "RECORD_OVERHEAD_BYTES": "core.test_records.RecordTests.test_comes_back_in_order",
    "FRAME_HEADER_BYTES": "wire.test_frames.FrameTests.test_a_frame_byte_by_byte",
    "MAX_RECORD_RANGE_BYTES": "wire.test_session_tlvs.SessionBlockTests.test_ranges_are_exact",
    "FIRST_RECORD_BYTES": "core.test_session.TellingTests.test_a_slow_path_has_small_records",
    "MAX_FRAMES_PER_RECORD": "core.test_incoming.RecordTests.test_the_most_frames",
    "RECORD_COUNTER_MAX": "core.test_records.RecordTests.test_the_last_number",
    "KEY_RECORDS_MAX": "attacks.test_row_20_rekey.Row20HardStopTests.test_records_under_one_key",
    "KEY_BYTES_MAX": "attacks.test_row_20_rekey.Row20HardStopTests.test_bytes_under_one_key",
    "BULK_WIRE_BYTES": "core.test_padding.SizeTests.test_bulk_stays",
    "PADME_FLOOR_BYTES": "core.test_padding.SizeTests.test_floor",
    "CONTROL_MESSAGE_BYTES": "core.test_incoming.RecordTests.test_long_messages_to_their_last_byte",
    "LABEL_BYTES": "wire.test_frames.ChannelOpenTests.test_label_bytes",
    "CLOSE_TEXT_BYTES": "wire.test_frames.ReasonTests.test_bounds",
    "RESET_TEXT_BYTES": "core.test_channel.EndTests.test_a_text_is_cut",
    "MESSAGE_TOTAL_BYTES": "core.test_channel.MessageTests.test_forms",
    "CONTROLS_WAITING_MAX": "core.test_incoming.BudgetTests.test_answers_that_nobody_reads",
    "MESSAGE_CREDIT_BYTES": "core.test_channel.MessageTests.test_window_is_exact",
    "PLACES_MAX": "wire.test_reach_frames.ReachFramesTests.test_places",
    "SIGHTING_GROUPS_MAX": "core.discovery.test_reach.SightingsTests.test_so_many_groups",
    "SIGHTING_SECONDS": "core.discovery.test_reach.SightingsTests.test_a_word_is_forgotten",
    "CONFIRMED_PLACES_MAX": "core.discovery.test_reach.PlacesTests.test_so_many_places",
    "REACH_DIALS_MAX": "node.test_reach.LiarTests.test_so_many_dials_at_a_time",
    "REACH_GROUPS_MET_MAX": "core.test_budget.BucketsTests.test_at_most_so_many",
    "reach_peer_rate": "node.test_reach.LiarTests.test_low_ports_are_refused_and_dials_are_paced",
    "reach_group_rate": "node.test_reach.LiarTests.test_a_group_and_the_node_are_paced_too",
    "reach_rate": "node.test_reach.LiarTests.test_a_group_and_the_node_are_paced_too",
    "reach_gap_seconds": "node.test_reach.LiarTests.test_one_peer_is_asked_so_often",
    "reach_retry_seconds": "core.discovery.test_reach.PlacesTests.test_failures_are_tried_later_and_later",
    "confirmed_seconds":
        "core.discovery.test_reach.PlacesTests.test_confirmed_for_an_hour_and_looked_at_after_half",
    "BEACON_PORT": "net.test_multicast.WatchingTests.test_the_port",
    "BEACON_PAD_BYTES": "core.discovery.test_beacon.SealTests.test_lengths",
    "BEACON_ORDER_SECONDS": "core.discovery.test_heard.OldTests.test_the_same_again_from_anywhere",
    "HEARD_PLACES_MAX": "core.discovery.test_heard.BelievingTests.test_at_most_four_places",
    "HEARD_PER_HOST": "core.discovery.test_heard.FloodTests.test_made_up_nodes_from_one_address",
    "HEARD_FORMER_MAX":
        "core.discovery.test_heard.OldTests.test_those_that_are_gone_are_remembered_up_to_a_number",
    "MAP_ANSWER_BYTES": "wire.test_port_maps.AnswerTests.test_each_way_to_get_a_pcp_map_wrong",
    "MAP_ANSWERS_READ": "net.test_routerline.QuestionTests.test_a_flood_of_them_does",
    "MAP_TRIES": "net.test_routerline.QuestionTests.test_asked_again_after_twice_the_time_and_not_for_ever",
    "MAP_TRY_SECONDS": "net.test_routerline.QuestionTests.test_asked_again_after_twice_the_time_and_not_for_ever",
    "MAP_LEASE_SECONDS": "net.test_pcp.PcpTests.test_a_lease_is_what_the_router_says_within_bounds",
    "BEACON_ANSWERS":
        "core.discovery.test_beacon.TimetableTests.test_four_answers_within_a_second_each_and_no_more_in_five",
    "BEACON_HOSTS_MET_MAX": "core.discovery.test_heard.FloodTests.test_addresses_are_counted_up_to_a_number",
    "lan_nodes": "core.discovery.test_heard.FloodTests.test_a_full_table_takes_from_who_has_most",
    "lan_sessions": "node.test_lan.HostileTests.test_so_many_sessions",
    "beacon_seconds": "core.discovery.test_beacon.TimetableTests.test_three_at_once_then_now_and_then",
    "beacon_answer_seconds":
        "core.discovery.test_beacon.TimetableTests.test_four_answers_within_a_second_each_and_no_more_in_five",
    "beacon_answer_gap_seconds":
        "core.discovery.test_beacon.TimetableTests.test_a_flood_of_new_nodes_has_one_answer_in_five_seconds",
    "beacon_host_rate": "core.discovery.test_heard.FloodTests.test_an_address_is_looked_at_so_often",
    "beacon_rate": "core.discovery.test_heard.FloodTests.test_addresses_that_nobody_knows_share_a_budget",
    "heard_seconds": "core.discovery.test_heard.OldTests.test_who_is_heard_stays",
    "FIRST_WINDOW_BYTES": "wire.test_session_tlvs.SessionBlockTests.test_ranges_are_exact",
    "FIRST_CHANNELS": "wire.test_session_tlvs.SessionBlockTests.test_ranges_are_exact",
    "INITIAL_WINDOWS_SUM_BYTES": "settings.test_ranges.RangeTests.test_together",
    "MAX_MESSAGE_CEILING_BYTES": "wire.test_session_tlvs.SessionBlockTests.test_ranges_are_exact",
    "WINDOW_GROWTH_SHARE": "core.test_credit.PoolTests.test_growth_has_half",
    "INFLATED_PER_CHANNEL": "core.test_hands.InflatedTests.test_one_a_channel",
    "OPENS_WAITING_MAX": "core.test_outgoing.OpenTests.test_bounds",
    "LATE_FRAMES_PER_OPEN": "core.test_incoming.LateTests.test_three_a_channel",
    "LATE_FRAMES_MAX": "core.test_incoming.LateTests.test_only_so_many",
    "CHANNEL_ID_MAX": "core.test_session.IdsTests.test_the_last_one_lives",
    "COMPRESS_MIN_BYTES": "core.test_compression.ChoiceTests.test_short_ones_are_left_alone",
    "COMPRESS_MIN_GAIN": "wire.test_compressed.DeflateTests.test_what_gains_too_little_stays",
    "COMPRESS_SKIP_MIN": "core.test_compression.ChoiceTests.test_two_misses_cost_sixteen_then_twice_as_many",
    "COMPRESS_SKIP_MAX": "core.test_compression.ChoiceTests.test_two_misses_cost_sixteen_then_twice_as_many",
    "INFLATE_RATIO_MAX": "wire.test_compressed.InflateTests.test_the_ratio_is_exact",
    "INFLATE_RATIO_FROM_BYTES": "wire.test_compressed.InflateTests.test_the_ratio_counts_from_one_mebibyte",
    "BUDGET_PACE": "core.test_outgoing.OpenTests.test_behind_a_thousand_streams",
    "FLOOD_BURST_FACTOR": "core.test_incoming.BudgetTests.test_a_burst",
    "INTERACTIVE_SHARE": "core.test_outgoing.ClassTests.test_the_first_class_leaves_a_quarter",
    "SLOW_PATH_BYTES_PER_SECOND": "core.test_session.TellingTests.test_a_slow_path_has_small_records",
    "WINDOW_FREE_RAISE_BYTES": "core.test_incoming.BudgetTests.test_what_is_free",
    "EXT_UPDATE_GAP_SECONDS": "core.test_outgoing.ControlTests.test_only_the_newest_list_and_one_a_second",
    "PING_GAP_SECONDS": "core.test_liveness.AskedTests.test_another_waits_for_its_gap",
    "REKEY_VOLUME_BYTES": "settings.test_resolve.LevelTests.test_a_number_below_the_level_wins",
    "max_record_bytes": "core.test_session.BeginningTests.test_the_record_size_is_the_smaller",
    "max_message_bytes": "core.test_channel.MessageTests.test_max_message_is_the_peers",
    "initial_window_bytes": "core.test_channel.StreamTests.test_window_is_exact",
    "max_channels": "core.test_incoming.ChannelFrameTests.test_the_most_channels",
    "initial_windows_sum_bytes": "settings.test_ranges.RangeTests.test_together",
    "window_max_bytes": "core.test_credit.GrowthTests.test_a_fast_reader",
    "window_pool_peer_bytes": "core.test_credit.LoanTests.test_the_second_waits_for_the_first",
    "window_pool_node_bytes": "core.test_credit.LoanTests.test_another_session_is_woken",
    "inflated_peer_bytes": "core.test_hands.HandsTests.test_the_limit_is_exact",
    "queue_pause_bytes": "core.test_channel.MessageTests.test_a_full_session_refuses_more",
    "queue_error_bytes": "core.test_channel.StreamTests.test_a_writer_that_goes_on_is_stopped",
    "ch_open_rate": "core.test_incoming.BudgetTests.test_openings",
    "control_frame_rate": "core.test_incoming.BudgetTests.test_a_burst",
    "flood_seconds": "core.test_incoming.BudgetTests.test_an_excess_of_five_seconds",
    "sessions": "node.test_node.RefusedTests.test_too_many_sessions",
    "memory_bytes": "node.test_memory.NodeTests.test_over_the_nodes_limit_the_newest_goes_first",
    "memory_peer_bytes": "node.test_memory.NodeTests.test_who_holds_more_than_a_peer_may",
    "half_open_reserve_share": "net.test_intake.HalfOpenTests.test_the_last_ones_are_for_networks_that_we_know",
    "NETWORKS_MET_MAX": "net.test_intake.HalfOpenTests.test_networks_that_we_know_are_bounded",
    "sessions_reserve_share": "node.test_desk.VerdictTests.test_the_last_sessions_are_for_those_whom_we_know",
    "sessions_per_identity": "node.test_peers.WaitingTests.test_reconnects_never_hold_more_than_the_limit",
    "half_open": "net.test_intake.HalfOpenTests.test_whole_node",
    "half_open_prefix": "net.test_intake.HalfOpenTests.test_per_prefix",
    "half_open_bytes": "net.test_intake.HalfOpenTests.test_mceliece_flights_count_by_their_size",
    "accepts_per_window": "net.test_intake.RateTests.test_accepts_of_one_address",
    "accepts_window_seconds": "net.test_intake.RateTests.test_accepts_of_one_address",
    "drain_sockets":
        "net.test_intake.DrainTests."
        "test_over_the_global_cap_one_of_the_fullest_prefix_goes_within_ten_seconds",
    "drain_prefix": "net.test_intake.DrainTests.test_a_prefix_over_its_share_is_closed_at_accept",
    "drain_rate_bytes": "net.test_protocol.SlowTests.test_reads_no_faster_than_told_and_keeps_nothing",
    "cpu_share": "node.test_node.RefusedTests.test_the_budget_of_answers_ends_and_a_named_setting_switches_it_off",
    "msg1_seconds": "core.handshake.test_responder.DeadlineTests.test_the_first_flight_has_ten_seconds",
    "handshake_seconds": "core.handshake.test_responder.DeadlineTests.test_the_third_message_has_thirty_from_accept",
    "retry_seconds": "core.handshake.test_responder.DeadlineTests.test_a_retry_adds_twenty_to_both_timers",
    "dial_seconds": "core.handshake.test_initiator.WordsTests.test_no_answer",
    "session_seconds": "core.test_session.BeginningTests.test_ten_seconds_for_a_session_block",
    "drain_seconds": "core.test_connection.HandshakeTests.test_a_responder_that_fails_says_nothing_and_reads_on",
    "drain_evict_seconds":
        "net.test_intake.DrainTests."
        "test_over_the_global_cap_one_of_the_fullest_prefix_goes_within_ten_seconds",
    "clock_ahead_seconds": "core.test_replay.ReplayTests.test_edges_of_time",
    "clock_window_seconds": "core.test_replay.ReplayTests.test_edges_of_time",
    "clock_warn_seconds": "node.test_node.RefusedTests.test_the_clock_is_named_when_peers_say_so",
    "progress_rate_bytes":
        "attacks.test_row_16_slow.Row16HandshakeTests."
        "test_a_body_has_ten_seconds_and_one_more_for_each_kib",
    "dead_seconds": "core.test_connection.DeadTests.test_until_a_drawn_moment",
    "accept_seconds": "core.test_session.EndTests.test_unanswered_opens_end_after_thirty_seconds",
    "stall_seconds": "core.test_connection.BytesOutTests.test_a_stall_to_the_moment",
    "close_drain_seconds": "core.test_state.TableTests.test_a_drain_ends_in_time_and_says_why",
    "close_answer_seconds": "core.test_session.EndTests.test_five_seconds_for_an_answer",
    "ping_after_seconds": "core.test_liveness.SilenceTests.test_the_time_is_drawn_anew",
    "ping_seconds": "core.test_liveness.SilenceTests.test_ping_after_silence_and_lost_without_an_answer",
    "ping_urgent_seconds": "core.test_liveness.AskedTests.test_urgent_is_sooner",
    "clock_jump_seconds": "node.test_clockwatch.ClockWatchTests.test_a_jump_either_way_is_told_once",
    "idle_seconds": "core.test_liveness.IdleTests.test_closed_after_the_idle_time",
    "redial_min_seconds":
        "node.test_keeper_delays.DelayTests."
        "test_a_second_at_first_then_doubling_to_a_minute_with_jitter",
    "redial_max_seconds":
        "node.test_keeper_delays.DelayTests."
        "test_a_second_at_first_then_doubling_to_a_minute_with_jitter",
    "rekey_seconds": "core.test_rekey.WhenTests.test_by_time_to_the_moment",
    "rekey_volume_bytes": "core.test_rekey.WhenTests.test_by_volume_both_ways_to_the_record",
    "rekey_idle_max_seconds": "core.test_rekey.WhenTests.test_an_hour_at_most",
    "rekey_stop_seconds": "attacks.test_row_20_rekey.Row20HardStopTests.test_a_response_that_is_withheld",
    "rekey_floor_seconds": "attacks.test_row_20_rekey.Row20AskingTests.test_too_soon",
    "rekey_floor_bytes": "attacks.test_row_20_rekey.Row20AskingTests.test_too_soon",
    "key_records_max": "attacks.test_row_20_rekey.Row20HardStopTests.test_records_under_one_key",
    "key_bytes_max": "attacks.test_row_20_rekey.Row20HardStopTests.test_bytes_under_one_key",
    "link_idle_seconds": "node.test_relays.CarryingTests.test_an_idle_link_ends",
    "link_grace_seconds": "node.test_relays.CarryingTests.test_half_a_link_is_counted_and_has_a_minute",
    "RENDEZVOUS_KEY_BYTES": "wire.test_reservation_frames.ReservationFrameTests.test_what_is_none",
    "ANCHORS_MAX": "test_ids.AddressTests.test_anchors",
    "RESERVATION_HOURS_APART": "core.relay.test_reservations.ReservedTests.test_the_hour_may_be_one_off_either_way",
    "reservations": "node.test_reservations.AnchorageTests.test_room_for_so_many",
    "reservation_seconds": "core.relay.test_reservations.ReservedTests.test_what_finds_nothing",
    "PINS_OF_STRANGERS": "node.test_pins.PinTests.test_strangers_do_not_fill_the_disk",
    "PEER_RECORD_BYTES": "core.test_peer_records.JudgedTests.test_sizes_by_kind",
    "PEER_RECORD_HYBRID_BYTES": "core.test_peer_records.JudgedTests.test_sizes_by_kind",
    "PEER_RECORD_DELEGATED_BYTES": "core.test_peer_records.DelegatedTests.test_sizes",
    "PEER_RECORD_ENDPOINTS": "wire.test_peer_records.BodyTests.test_counts",
    "PEER_RECORD_VIA": "wire.test_peer_records.BodyTests.test_counts",
    "PEER_RECORD_EXTENDERS": "wire.test_peer_records.BodyTests.test_counts",
    "PEER_RECORD_FAMILY_BYTES": "wire.test_peer_records.BodyTests.test_counts",
    "PEER_RECORD_LIFE_SECONDS": "core.test_peer_records.JudgedTests.test_a_life_is_bounded_and_a_relays_is_shorter",
    "PEER_RECORD_RELAY_LIFE_SECONDS":
        "core.test_peer_records.JudgedTests.test_a_life_is_bounded_and_a_relays_is_shorter",
    "VALIDITY_SLACK_SECONDS": "core.test_peer_records.JudgedTests.test_expired",
    "DELEGATION_SECONDS": "core.test_delegations.JudgeTests.test_a_life_that_is_none_or_too_long",
    "SUCCESSION_SECONDS": "core.test_successions.SuccessionTests.test_when",
    "EXPIRY_DRAIN_SECONDS": "node.test_key_life.SessionTests.test_a_minute_at_most",
    "ONLINE_KEY_FILE_BYTES": "core.test_online_key.OnlineKeyTests.test_damage",
    "BOOK_NEW": "core.discovery.test_book.BoundsTests.test_records_without_an_address_get_what_one_network_gets",
    "BOOK_NEW_LANES": "core.discovery.test_book.BoundsTests.test_one_source_gets_to_few_places_however_much_it_says",
    "BOOK_TRIED": "core.discovery.test_book.CallsTests.test_contests_are_bounded",
    "BOOK_TRIED_LANES": "core.discovery.test_book.CallsTests.test_contests_are_bounded",
    "BOOK_QUARTER": "core.discovery.test_book.BoundsTests.test_four_of_a_24",
    "BOOK_FAILURES": "core.discovery.test_book.BoundsTests.test_who_is_hopeless_makes_room",
    "BOOK_CONTESTS": "core.discovery.test_book.CallsTests.test_contests_are_bounded",
    "BOOK_CONTEST_SECONDS": "core.discovery.test_book.CallsTests.test_nobody_asked_in_time",
    "BOOK_STANDING_SECONDS":
        "core.discovery.test_book.CallsTests.test_a_place_is_contested_only_after_hours_and_lost_only_after_a_call",
    "BOOK_REMEMBERED_SECONDS":
        "core.discovery.test_book.TimeTests.test_somebody_is_remembered_for_a_month_after_its_record",
    "BOOK_ENTRY_BYTES": "core.discovery.test_book.BoundsTests.test_what_it_says_it_holds_is_no_less_than_what_it_holds",
    "BOOK_SAMPLES": "core.discovery.test_book.TellingTests.test_samples_are_bounded",
    "PEX_RECORDS":
        "core.discovery.test_book.TellingTests.test_a_sample_of_a_small_book_grows_to_its_size_and_no_further",
    "PEX_CACHE_SECONDS": "core.discovery.test_book.TellingTests.test_a_day_later_it_is_another_sample",
    "book_bytes": "core.discovery.test_book.BoundsTests.test_bytes_are_bounded",
    "PEX_AGAIN_SECONDS":
        "core.discovery.test_exchange.AskingTests.test_who_has_news_is_asked_soon_who_has_none_later_and_later",
    "PEX_TOLD": "core.discovery.test_exchange.TellingTests.test_what_was_told_is_remembered_so_far",
    "PEX_CHECKS_WAITING": "node.test_exchanging.BoundsTests.test_so_many_messages_wait",
    "OUTBOUND_SUGGESTED_SHARE":
        "core.discovery.test_strategy.ConnectionTests.test_half_of_them_were_suggested_within_an_hour_at_most",
    "OUTBOUND_SUGGESTED_SECONDS":
        "core.discovery.test_strategy.ConnectionTests.test_half_of_them_were_suggested_within_an_hour_at_most",
    "pex_rate": "node.test_exchanging.BoundsTests.test_so_many_records_of_one_peer",
    "pex_get_rate": "core.discovery.test_exchange.TellingTests.test_questions_have_a_budget",
    "pex_named_seconds":
        "core.discovery.test_exchange.AskingTests.test_half_a_minute_with_the_named_ten_with_strangers",
    "pex_stranger_seconds":
        "core.discovery.test_exchange.AskingTests.test_half_a_minute_with_the_named_ten_with_strangers",
    "outbound_seconds":
        "core.discovery.test_strategy.ConnectionTests.test_strangers_are_left_after_a_while_named_peers_are_not",
    "DIRECTORY_RECORDS": "core.discovery.test_directory.FloodTests.test_who_leaves_most_pays_for_room",
    "DIRECTORY_BYTES": "core.discovery.test_directory.FloodTests.test_bytes_are_bounded_as_records_are",
    "DIRECTORY_OF_A_KEY": "core.discovery.test_directory.ExtenderTests.test_who_has_most_of_a_full_list_yields",
    "DIRECTORY_CHECKS_WAITING": "node.test_keeping.BoundsTests.test_so_many_records_are_looked_at",
    "DIRECTORY_TO_MEET": "node.test_keeping.BoundsTests.test_so_many_nodes_are_to_be_met",
    "DIRECTORY_NEAR": "core.discovery.test_directory.AcquaintanceTests.test_near_ones_are_never_forgotten_for_others",
    "DIRECTORY_MET": "core.discovery.test_directory.AcquaintanceTests.test_near_ones_are_never_forgotten_for_others",
    "ANSWER_RECORDS": "wire.test_directory_frames.DirectoryFrameTests.test_what_is_none",
    "ANSWER_NODES": "wire.test_directory_frames.DirectoryFrameTests.test_what_is_none",
    "directory_rate": "node.test_keeping.BoundsTests.test_too_many_questions_are_a_flood",
    "question_seconds": "node.test_asking.AnswerTests.test_who_says_nothing_is_not_waited_for",
    "feeler_seconds":
        "core.discovery.test_strategy.FeelerTests.test_one_every_two_to_five_minutes_of_who_was_never_reached",
    "outbound": "core.discovery.test_strategy.ConnectionTests.test_eight_each_in_another_group",
    "LINK_ID_MAX": "core.relay.test_links.RulesTests.test_ids_end",
    "LINK_ENDPOINTS_MAX": "wire.test_link_frames.TargetTests.test_what_is_no_target",
    "LINK_NAME_BYTES": "wire.test_link_frames.TargetTests.test_names_that_are_none",
    "CELL_WIRE_BYTES": "net.test_linkpump.PumpTests.test_every_record_on_the_outer_wire_is_a_cell",
    "LINK_LAYER_BYTES": "net.test_linkpump.DeeperTests.test_cells_of_each_depth_nest",
    "CIRCUIT_HOPS_MAX": "core.relay.test_path.ChoiceTests.test_every_length",
    "links_client": "core.relay.test_links.RulesTests.test_more_links_than_allowed_are_refused",
    "links_node": "core.relay.test_quota.QuotaTests.test_loopback_is_exempt_from_prefixes_not_from_the_node",
    "links_carrier": "core.relay.test_links.RulesTests.test_more_links_than_a_carrier_has",
    "link_window_bytes": "core.relay.test_link.CreditTests.test_an_overrun_is_a_violation",
    "link_window_max_bytes": "core.relay.test_link.CarriedTests.test_windows_grow_to_their_bound_and_loans_come_back",
    "link_pool_client_bytes": "core.relay.test_link.CreditTests.test_windows_grow_as_far_as_the_pools_lend",
    "link_pool_egress_bytes": "core.relay.test_link.CreditTests.test_windows_grow_as_far_as_the_pools_lend",
    "link_pool_node_bytes": "core.relay.test_link.CreditTests.test_windows_grow_as_far_as_the_pools_lend",
    "link_create_rate": "core.relay.test_links.RulesTests.test_floods",
    "links_prefix_rate": "core.relay.test_quota.QuotaTests.test_links_of_a_prefix",
    "links_carrier_rate": "core.relay.test_links.RulesTests.test_floods",
    "link_new_addresses_rate": "core.relay.test_quota.QuotaTests.test_new_addresses",
    "link_record_rate": "node.test_record_checks.BudgetTests.test_so_many_for_each_session",
    "link_volume_prefix_bytes": "core.relay.test_quota.QuotaTests.test_volume_of_a_day",
    "carriers_per_pair": "node.test_relays.RefusalTests.test_carriers_to_one_target",
    "half_open_carrier": "node.test_relays.RefusalTests.test_handshakes_over_links",
    "half_open_links": "node.test_relays.RefusalTests.test_handshakes_over_links",
    "link_connect_seconds": "node.test_building.SilenceTests.test_a_gateway_that_says_nothing",
    "link_fail_seconds": "node.test_relays.RefusalTests.test_unreachable_and_wrong_look_alike_and_take_their_time",
    "circuit_seconds": "node.test_building.SilenceTests.test_a_gateway_that_says_nothing",
    "circuit_lifetime_seconds": "core.relay.test_lifetime.LifetimeTests.test_an_hour_more_or_less_drawn_anew_for_each",
    "circuit_end_seconds": "node.test_lifetimes.StreamTests.test_for_a_day",
    "relay_deaths": "core.relay.test_bias.DroppedTests.test_the_fourth_death_in_an_hour",
    "relay_deaths_seconds": "core.relay.test_bias.DroppedTests.test_four_in_more_than_an_hour_are_none",
    "relay_dropped_seconds": "node.test_blame.DaysTests.test_the_fourth_death_drops_it_for_a_week",
    "SCORE_RANGE": "core.access.test_reputation.FadingTests.test_never_outside_the_range",
    "SCORE_GREY": "core.access.test_reputation.RefusalTests.test_below_a_thousand_for_ten_minutes_at_least",
    "SCORE_RELAY_SERVICE": "core.access.test_judge.LinkTests.test_an_address_with_a_low_score_gets_no_links",
    "SCORE_RELAY_FLOOR": "core.access.test_reputation.FadingTests.test_a_floor_stops_a_loss_and_lifts_nobody",
    "SCORE_WIDE_SHARE":
        "core.access.test_reputation.NetworkTests.test_no_single_ipv4_address_brings_its_network_down",
    "INVITATION_BYTES": "wire.test_invitation_text.BoundsTests.test_the_longest",
    "INVITATION_SECRET_BYTES": "wire.test_invitation_text.TextTests.test_comes_back",
    "INVITATION_SECONDS": "node.test_inviting.InviteTests.test_the_longest_life",
    "INVITATION_USES": "core.test_invitations.UsesTests.test_the_most_peers",
    "INVITATION_KEPT_SECONDS": "core.test_invitations.LifeTests.test_what_is_over_is_remembered_for_a_while",
    "PETNAME_LETTERS": "core.test_petnames.NameTests.test_the_longest",
    "invitations": "core.test_invitations.LifeTests.test_no_more_open_ones_than_a_number",
    "petnames": "node.test_names.NamesTests.test_no_more_than_a_number",
    "peer_rules": "core.access.test_rules.PeerRuleTests.test_how_many",
    "address_filters": "core.access.test_rules.FilterTests.test_how_many",
    "prefix_limits": "core.access.test_attempts.TableTests.test_how_many",
    "attempt_prefixes": "core.access.test_attempts.AttemptTests.test_memory_of_attempts_is_bounded",
    "score_addresses": "core.access.test_reputation.MemoryTests.test_tables_stay_small_and_keep_the_worst",
    "score_networks": "core.access.test_reputation.MemoryTests.test_tables_stay_small_and_keep_the_worst",
    "score_peers": "core.access.test_reputation.MemoryTests.test_tables_stay_small_and_keep_the_worst",
    "scores_saved": "node.test_conduct.KeepingTests.test_only_the_scores_that_say_most_are_kept",
    "score_half_life_seconds":
        "core.access.test_reputation.FadingTests.test_half_is_gone_after_an_hour_whatever_its_sign",
    "blocked_min_seconds":
        "core.access.test_reputation.RefusalTests.test_below_a_thousand_for_ten_minutes_at_least",
    "blocked_max_seconds": "core.access.test_reputation.RefusalTests.test_it_doubles_to_a_day",
    "report_rate": "node.test_conduct.ReportTests.test_so_many_count",
    "circuit_ping_after_seconds": "net.test_linkpump.PumpTests.test_timers_of_the_inner_session_run",
}
"""Which test goes up to the limit, and where it can beyond it. A size that everything is made of is its own bound."""


def names() -> set[str]:
    """All of them."""
    constants = {name for name in vars(limits) if name.isupper()} - UNITS_OF_MEASURE
    return constants | {field.name for field in fields(limits.Limits)}


class ReachedTests(SynchronousTestCase):
    maxDiff = None

    def test_each_has_its_test_or_its_reason(self) -> None:
        self.assertEqual(set(REACHED) & set(NOT_BUILT), set())
        self.assertEqual(sorted(names() - set(REACHED) - set(NOT_BUILT)), [], "name the test that reaches it")
        self.assertEqual(sorted((set(REACHED) | set(NOT_BUILT)) - names()), [], "no such limit any more")

    def test_each_test_is_there(self) -> None:
        for name, path in REACHED.items():
            module, case, test = path.rsplit(".", 2)
            found = getattr(getattr(import_module(f"tests.{module}"), case), test)
            self.assertTrue(callable(found) and test.startswith("test_"), name)

    def test_what_is_not_built_is_read_by_nobody(self) -> None:
        sources = [path for path in (ROOT / "quantumgate").rglob("*.py") if path.name != "limits.py"]
        code = [re.sub(r'"[^"\n]*"', "", path.read_text(encoding="utf-8")) for path in sources]
        for name in NOT_BUILT:
            self.assertEqual([text for text in code if re.search(rf"\b{name}\b", text)], [], name)


class HereTests(SynchronousTestCase):
    """What is reached nowhere else."""

    def test_the_longest_offer(self) -> None:
        for more in (0, 1):
            offered = Lists((1, *range(100, 99 + limits.OFFER_LIST_IDS + more)), (1,), (1,))
            data = replace(INIT, lists=offered).encode(0)
            if more:
                self.assertRaises(MalformedError, Init.parse, data)
            else:
                self.assertEqual(Init.parse(data).lists, offered)

    def test_the_longest_list_of_versions(self) -> None:
        for more in (0, 1):
            versions = tuple(range(1, limits.VERSION_LIST_IDS + 1 + more))
            data = replace(INIT, versions=versions).encode(0)
            if more:
                self.assertRaises(MalformedError, Init.parse, data)
            else:
                self.assertEqual(Init.parse(data).versions, versions)
