"""Every number a peer can run into, in one place. Spec: docs/spec/limits.md.

Constants are fixed by the protocol; fields of ``Limits`` are defaults that a node may set in ``[limits]``.
Units are in the names. Not for: settings that no peer can reach.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# -- handshake ---------------------------------------------------------------------------------------------------
FIRST_FLIGHT_BYTES = 64 * KIB
FIRST_FLIGHT_MCELIECE_BYTES = 1536 * KIB
MSG1_PAD_BYTES = (0, 2047)
MSG2_TOTAL_BYTES = (12_288, 14_335)
MSG3_TOTAL_BYTES = (11_264, 13_311)
MESSAGE_STEP_BYTES = 4096
CANDIDATE_KEYS = 4
RETRIES_PER_CONNECTION = 1
ANSWERS_PER_SECOND = 200
SALT_ENTRIES = 360_000
FUTURE_SALT_ENTRIES = 4096
OFFER_LIST_IDS = 32
VERSION_LIST_IDS = 16
TOKEN_BYTES = 48
TOKENS_KEPT = 1024
TOKENS_USED_MAX = 32_768
NETWORKS_MET_MAX = 4096
PUZZLE_COUNT = 16
PUZZLE_BITS_MIN = 8
PUZZLE_BITS_MAX = 16
EARLY_RECORDS_BYTES = 4 * MIB

# -- records and frames ------------------------------------------------------------------------------------------
RECORD_HEADER_BYTES = 20
TAG_BYTES = 16
RECORD_OVERHEAD_BYTES = RECORD_HEADER_BYTES + TAG_BYTES
FRAME_HEADER_BYTES = 8
MAX_RECORD_RANGE_BYTES = (16_384, 1_048_576)
FIRST_RECORD_BYTES = 16_384
MAX_FRAMES_PER_RECORD = 4096
RECORD_COUNTER_MAX = 1 << 48
KEY_RECORDS_MAX = 1 << 32
KEY_BYTES_MAX = 64 * GIB
BULK_WIRE_BYTES = (16_384, 65_536, 262_144)
PADME_FLOOR_BYTES = 256
CONTROL_MESSAGE_BYTES = 64 * KIB
LABEL_BYTES = 64
CLOSE_TEXT_BYTES = 256
RESET_TEXT_BYTES = 128
MESSAGE_TOTAL_BYTES = 4
CONTROLS_WAITING_MAX = 4096
MESSAGE_CREDIT_BYTES = 128
"""What a message costs beside its payload: a window also bounds how many small or empty ones may wait (ADR 0010)."""

# -- channels and credit -----------------------------------------------------------------------------------------
FIRST_WINDOW_BYTES = 64 * KIB
FIRST_CHANNELS = 32
INITIAL_WINDOWS_SUM_BYTES = 32 * MIB
MAX_MESSAGE_CEILING_BYTES = 8 * MIB
WINDOW_GROWTH_SHARE = 0.5
INFLATED_PER_CHANNEL = 1
OPENS_WAITING_MAX = 16_384
LATE_FRAMES_PER_OPEN = 3
LATE_FRAMES_MAX = 3000
CHANNEL_ID_MAX = (1 << 24) - 1

# -- links -------------------------------------------------------------------------------------------------------
LINK_ID_MAX = (1 << 24) - 1
LINK_ENDPOINTS_MAX = 8
LINK_NAME_BYTES = 253
CELL_WIRE_BYTES = (1024, 16_384)
LINK_LAYER_BYTES = FRAME_HEADER_BYTES + RECORD_OVERHEAD_BYTES
"""What each layer of a circuit adds to a record: the LINK_DATA frame and the record around it."""

CIRCUIT_HOPS_MAX = 8

# -- reservations ------------------------------------------------------------------------------------------------
RENDEZVOUS_KEY_BYTES = 32
ANCHORS_MAX = 3
RESERVATION_HOURS_APART = 1

# -- peer records ------------------------------------------------------------------------------------------------
PEER_RECORD_BYTES = 2 * KIB
PEER_RECORD_HYBRID_BYTES = 8 * KIB
PEER_RECORD_DELEGATED_BYTES = 16 * KIB
"""Of a hybrid identity that signs with an online key: three bundles' worth of ML-DSA more."""
PEER_RECORD_ENDPOINTS = 8
PEER_RECORD_VIA = 3
PEER_RECORD_EXTENDERS = 16
PEER_RECORD_FAMILY_BYTES = 64
PEER_RECORD_LIFE_SECONDS = 86_400
PEER_RECORD_RELAY_LIFE_SECONDS = 21_600
VALIDITY_SLACK_SECONDS = 600

# -- the book of peers, and exchange -----------------------------------------------------------------------------
BOOK_NEW = (256, 64)
BOOK_NEW_LANES = 16
BOOK_TRIED = (64, 64)
BOOK_TRIED_LANES = 2
BOOK_QUARTER = 4
BOOK_FAILURES = 3
BOOK_CONTESTS = 10
BOOK_CONTEST_SECONDS = 2400
BOOK_STANDING_SECONDS = 14_400
BOOK_REMEMBERED_SECONDS = 2_592_000
BOOK_ENTRY_BYTES = 3 * KIB
BOOK_SAMPLES = 4096
PEX_RECORDS = 64
PEX_CACHE_SECONDS = 86_400
PEX_AGAIN_SECONDS = (20, 3600)
PEX_TOLD = 2048
PEX_CHECKS_WAITING = 16
OUTBOUND_SUGGESTED_SHARE = 0.5
OUTBOUND_SUGGESTED_SECONDS = 3600

# -- identities --------------------------------------------------------------------------------------------------
DELEGATION_SECONDS = 90 * 86_400
SUCCESSION_SECONDS = 90 * 86_400
EXPIRY_DRAIN_SECONDS = 60
ONLINE_KEY_FILE_BYTES = 32 * KIB
"""Of a file that holds an online key; more is not read."""

# -- invitations -------------------------------------------------------------------------------------------------
INVITATION_BYTES = 2 * KIB
INVITATION_SECRET_BYTES = 20
INVITATION_SECONDS = 90 * 86_400
"""The longest life of an invitation."""

INVITATION_USES = 64
INVITATION_KEPT_SECONDS = 30 * 86_400
"""So long after its end whoever has an invitation is told what became of it."""

PINS_OF_STRANGERS = 65_536
PETNAME_LETTERS = 32

# -- local network -----------------------------------------------------------------------------------------------
BEACON_PORT = 9999
BEACON_PAD_BYTES = 255
BEACON_ORDER_SECONDS = 5.0
BEACON_ANSWERS = 4
HEARD_PLACES_MAX = 4
HEARD_PER_HOST = 16
HEARD_FORMER_MAX = 1024
BEACON_HOSTS_MET_MAX = 1024

# -- reachability ------------------------------------------------------------------------------------------------
PLACES_MAX = 8
SIGHTING_GROUPS_MAX = 32
SIGHTING_SECONDS = 3600.0
CONFIRMED_PLACES_MAX = 8
REACH_DIALS_MAX = 8
REACH_GROUPS_MET_MAX = 4096
MAP_ANSWER_BYTES = 1100
MAP_ANSWERS_READ = 16
MAP_TRIES = 4
MAP_TRY_SECONDS = 0.25
MAP_LEASE_SECONDS = (60, 3600)

# -- look-ups ----------------------------------------------------------------------------------------------------
DIRECTORY_RECORDS = 4096
DIRECTORY_BYTES = 16 * MIB
DIRECTORY_OF_A_KEY = 64
DIRECTORY_CHECKS_WAITING = 64
DIRECTORY_TO_MEET = 64
DIRECTORY_MET = 256
DIRECTORY_NEAR = 64
ANSWER_RECORDS = 8
ANSWER_NODES = 8

# -- compression -------------------------------------------------------------------------------------------------
COMPRESS_MIN_BYTES = 128
COMPRESS_MIN_GAIN = 0.125
COMPRESS_SKIP_MIN = 16
COMPRESS_SKIP_MAX = 1024
INFLATE_RATIO_MAX = 64
INFLATE_RATIO_FROM_BYTES = 1 * MIB

# -- budgets -----------------------------------------------------------------------------------------------------
BUDGET_PACE = 0.8
FLOOD_BURST_FACTOR = 2
CONTROL_RATE_BYTES = 64 * KIB
INTERACTIVE_SHARE = 0.75
SLOW_PATH_BYTES_PER_SECOND = 2_000_000
WINDOW_FREE_RAISE_BYTES = 16 * KIB
EXT_UPDATE_GAP_SECONDS = 1.0
PING_GAP_SECONDS = 0.05

# -- scores ------------------------------------------------------------------------------------------------------
SCORE_RANGE = (-3000, 100)
SCORE_GREY = -1000
SCORE_RELAY_SERVICE = -200
SCORE_RELAY_FLOOR = -500
SCORE_WIDE_SHARE = (0.25, 1.0)
"""What the network of an address pays of what the address pays: a /24 (IPv4), a /56 (IPv6)."""

# -- re-key ------------------------------------------------------------------------------------------------------
REKEY_VOLUME_BYTES = (4_000_000_000, 4_000_000_000, 4_000_000_000, 2_000_000_000, 1_000_000_000)


@dataclass(frozen=True, slots=True)
class Limits:
    """Numbers that a node may change by name. Times are seconds on the monotonic clock."""

    # records, channels, credit
    max_record_bytes: int = 256 * KIB
    max_message_bytes: int = 1 * MIB
    initial_window_bytes: int = 64 * KIB
    max_channels: int = 512
    initial_windows_sum_bytes: int = INITIAL_WINDOWS_SUM_BYTES
    window_max_bytes: int = 4 * MIB
    window_pool_peer_bytes: int = 16 * MIB
    window_pool_node_bytes: int = 128 * MIB
    inflated_peer_bytes: int = 8 * MIB
    transport_sealed_bytes: int = 128 * KIB
    queue_pause_bytes: int = 4 * MIB
    queue_error_bytes: int = 16 * MIB
    # links
    links_client: int = 32
    links_node: int = 512
    links_carrier: int = 1024
    link_window_bytes: int = 64 * KIB
    link_window_max_bytes: int = 2 * MIB
    link_pool_client_bytes: int = 8 * MIB
    link_pool_egress_bytes: int = 4 * MIB
    link_pool_node_bytes: int = 64 * MIB
    link_create_rate: tuple[float, float] = (2, 32)
    links_prefix_rate: tuple[float, float] = (8 / 60, 8)
    links_carrier_rate: tuple[float, float] = (30, 1024)
    link_new_addresses_rate: tuple[float, float] = (1, 8)
    link_record_rate: tuple[float, float] = (1, 8)
    link_volume_prefix_bytes: int = 2 * GIB
    carriers_per_pair: int = 4
    half_open_carrier: int = 16
    half_open_links: int = 64
    # budgets: (per second, burst)
    ch_open_rate: tuple[float, float] = (200, 1000)
    control_frame_rate: tuple[float, float] = (50, 500)
    flood_seconds: float = 5
    # sessions of a node
    sessions: int = 8192
    sessions_reserve_share: float = 0.1
    sessions_per_identity: int = 3
    memory_bytes: int = 256 * MIB
    memory_peer_bytes: int = 64 * MIB
    half_open: int = 512
    half_open_reserve_share: float = 0.25
    half_open_prefix: int = 32
    half_open_bytes: int = 32 * MIB
    accepts_per_window: int = 20
    accepts_window_seconds: float = 10
    drain_sockets: int = 2048
    drain_prefix: int = 16
    drain_rate_bytes: int = 16 * KIB
    book_bytes: int = 64 * MIB
    pex_rate: tuple[float, float] = (0.1, 1000)
    pex_get_rate: tuple[float, float] = (0.1, 20)
    pex_named_seconds: float = 30
    pex_stranger_seconds: float = 600
    feeler_seconds: tuple[float, float] = (120, 300)
    outbound_seconds: tuple[float, float] = (900, 2700)
    outbound: int = 8
    cpu_share: float = 0.2
    cpu_reserve_share: float = 0.25
    # local network
    lan_nodes: int = 256
    lan_sessions: int = 32
    beacon_seconds: tuple[float, float] = (15, 45)
    beacon_answer_seconds: tuple[float, float] = (0.01, 1)
    beacon_answer_gap_seconds: float = 5
    beacon_host_rate: tuple[float, float] = (1, 16)
    beacon_rate: tuple[float, float] = (50, 200)
    heard_seconds: float = 150
    # reachability
    reach_peer_rate: tuple[float, float] = (1 / 20, 8)
    reach_group_rate: tuple[float, float] = (1 / 10, 16)
    reach_rate: tuple[float, float] = (1, 16)
    reach_gap_seconds: float = 20
    reach_retry_seconds: tuple[float, float] = (60, 3600)
    confirmed_seconds: float = 3600
    # look-ups
    directory_rate: tuple[float, float] = (2, 32)
    question_seconds: float = 5
    # access
    peer_rules: int = 4096
    invitations: int = 256
    petnames: int = 4096
    address_filters: int = 1024
    prefix_limits: int = 32
    attempt_prefixes: int = 4096
    score_addresses: int = 16_384
    score_networks: int = 8192
    score_peers: int = 16_384
    scores_saved: int = 4096
    score_half_life_seconds: float = 3600
    blocked_min_seconds: float = 600
    blocked_max_seconds: float = 86_400
    report_rate: tuple[float, float] = (1 / 60, 10)
    # handshake times
    msg1_seconds: float = 10
    token_seconds: float = 604_800
    turn_seconds: float = 5
    puzzle_seconds: float = 15
    puzzle_seed_seconds: float = 120
    overload_hold_seconds: float = 10
    handshake_seconds: float = 30
    retry_seconds: float = 20
    dial_seconds: float = 10
    session_seconds: float = 10
    drain_seconds: tuple[float, float] = (30, 90)
    drain_evict_seconds: float = 10
    clock_ahead_seconds: int = 360
    clock_window_seconds: int = 93_600
    clock_warn_seconds: int = 120
    progress_bytes: int = 64
    progress_rate_bytes: int = 1024
    # session times
    dead_seconds: tuple[float, float] = (5, 60)
    accept_seconds: float = 30
    stall_seconds: float = 60
    close_drain_seconds: float = 10
    close_answer_seconds: float = 5
    ping_after_seconds: tuple[float, float] = (30, 60)
    ping_seconds: float = 20
    ping_urgent_seconds: float = 5
    clock_jump_seconds: float = 15
    idle_seconds: float = 900
    duplicate_drain_seconds: float = 60
    link_connect_seconds: float = 30
    link_fail_seconds: tuple[float, float] = (8, 12)
    link_idle_seconds: float = 900
    link_grace_seconds: float = 60
    reservations: int = 1024
    reservation_seconds: float = 3600
    circuit_seconds: float = 60
    circuit_lifetime_seconds: float = 3600
    circuit_end_seconds: float = 86_400
    circuit_ping_after_seconds: tuple[float, float] = (60, 120)
    relay_deaths: int = 3
    relay_deaths_seconds: float = 3600
    relay_dropped_seconds: float = 604_800
    redial_min_seconds: float = 1
    redial_max_seconds: float = 60
    # re-key
    rekey_seconds: tuple[float, float] = (300, 1200)
    rekey_volume_bytes: int = 4_000_000_000
    rekey_idle_max_seconds: float = 3600
    rekey_stop_seconds: float = 240
    rekey_floor_seconds: float = 60
    rekey_floor_bytes: int = 256 * MIB
    key_records_max: int = KEY_RECORDS_MAX
    key_bytes_max: int = KEY_BYTES_MAX


DEFAULT_LIMITS = Limits()
