// Generated from follower/protocol by `python -m follower.protocol.typescript`.

export interface Again {
  type: "again";
}

export interface AskHello {
  type: "hello";
}

export interface AskLibrary {
  type: "library";
}

export interface AskList {
  type: "list";
}

export interface AskOverview {
  type: "overview";
  piece?: string | null;
}

export interface Begin {
  type: "begin";
  orchestra_time: number;
}

export interface BeginAt {
  type: "begin_at";
  marker: string;
}

export interface Cancel {
  type: "cancel";
  piece: string;
}

export interface Captured {
  type: "captured";
  sample: number;
  at: number;
}

export interface CountIn {
  type: "count_in";
  clicks: number;
  beats_per_minute?: number;
}

export interface Delete {
  type: "delete";
  piece: string;
}

export interface ElsewhereMessage {
  type: "elsewhere";
  audio_time: number;
  places: PlaceEntry[];
}

export interface EndAudio {
  type: "end";
}

export interface EndLoop {
  type: "unloop";
}

export interface EndRecord {
  type: "end_record";
}

export interface EndedMessage {
  type: "ended";
  session: string;
  reason: string;
}

export interface ErrorMessage {
  type: "error";
  code: "disk_full" | "failed" | "invalid" | "malformed" | "rate" | "taken" | "too_large" | "too_many" | "unexpected" | "unknown_cache" | "unknown_file" | "unknown_session";
  message: string;
}

export interface Fetch {
  type: "fetch";
  take: string;
  piece?: string | null;
}

export interface FetchedMessage {
  type: "fetched";
  take: string;
  size_bytes: number;
}

export interface GapMessage {
  type: "gap";
  audio_time: number;
  lost_samples: number;
}

export interface Heard {
  type: "heard";
  stream: number;
  frame: number;
  at: number;
  slack_ms: number;
  missing?: number;
}

export interface HelloMessage {
  type: "hello";
  protocol: 1;
  program_version: string;
  method?: string;
  sample_rate?: number;
  orchestra_duration?: number;
  mix_duration?: number;
  piece?: string;
  session?: string;
  monotonic_time?: number;
  caches?: string[];
}

export interface JobEntry {
  piece: string;
  state: "failed" | "running" | "waiting";
  stage: string;
  share: number;
  remaining: number | null;
  message: string;
}

export interface JumpMessage {
  type: "jump";
  audio_time: number;
  from: number;
  to: number;
}

export interface LeadIn {
  type: "lead_in";
  duration: number;
}

export interface LeadInBars {
  type: "lead_in_bars";
  bars: number;
  beats_per_bar?: number;
}

export interface LibraryMessage {
  type: "library";
  pieces: PieceEntry[];
  jobs: JobEntry[];
  files: string[];
  formats: string[];
  max_bytes: number;
}

export interface ListMessage {
  type: "list";
  caches: string[];
  sessions: string[];
}

export interface Listen {
  type: "listen";
  sample_rate: number;
}

export interface Loop {
  type: "loop";
  begin: number;
  end: number;
}

export interface Mark {
  type: "mark";
  name: string;
  orchestra_time?: number | null;
}

export interface MarkerEntry {
  name: string;
  orchestra_time: number;
}

export interface MarkersMessage {
  type: "markers";
  markers: MarkerEntry[];
}

export interface NoticeMessage {
  type: "notice";
  audio_time: number;
  message: string;
}

export interface OpenAudio {
  type: "audio";
  sample_rate: number;
  format: "f32le" | "s16le";
  channels?: number;
  cache?: string;
  method?: string;
  start?: number | null;
  resume?: string;
}

export interface OverviewMessage {
  type: "overview";
  piece: string;
  orchestra_duration: number;
  step: number;
  orchestra: string;
  piano: string;
  confidence: string;
  cuts: number[][];
  markers: MarkerEntry[];
  takes: TakeEntry[];
}

export interface Pause {
  type: "pause";
}

export interface PieceEntry {
  name: string;
  orchestra_duration: number | null;
  fit: string;
  quality: number;
  cuts: number;
  prepared: string;
  again: boolean;
  problem: string;
}

export interface Ping {
  type: "ping";
  client_time: number;
}

export interface PlaceEntry {
  orchestra_time: number;
  share: number;
}

export interface PlaybackPosition {
  type: "playback";
  orchestra_time: number;
  rate?: number;
}

export interface PongMessage {
  type: "pong";
  client_time: number;
  monotonic_time: number;
}

export interface PositionMessage {
  type: "position";
  seq: number;
  orchestra_time: number | null;
  mix_time: number | null;
  rate: number;
  confidence: number;
  state: State;
  audio_time: number;
  capture_time: number | null;
  latency_ms: number | null;
}

export interface PracticeMessage {
  type: "practice";
  start: number | null;
  loop_begin: number | null;
  loop_end: number | null;
  volume_db: number;
  slowest: number;
  fastest: number;
  lead_in: number;
  count_in: number;
  beats_per_minute: number;
  tune_to: "piano" | "recording";
  piano_cents: number | null;
  piano_cents_error: number | null;
  recording_cents: number | null;
  shift_cents: number;
  sounding: "" | "count_in" | "lead_in";
  recorded: number | null;
  take: string;
  lead_in_bars?: number;
  beats_per_bar?: number;
}

export interface Prepare {
  type: "prepare";
  piece: string;
  orchestra?: string | null;
  mix?: string | null;
  mix_orchestra?: string | null;
}

export interface QuietMessage {
  type: "quiet";
  reason: string;
}

export interface Record {
  type: "record";
}

export interface Rename {
  type: "rename";
  piece: string;
  to: string;
}

export interface ReportGap {
  type: "gap";
  lost_samples: number;
}

export interface Resume {
  type: "resume";
}

export interface Seek {
  type: "seek";
  orchestra_time: number;
}

export interface SoundMessage {
  type: "sound";
  stream: number;
  sample_rate: number;
  channels: number;
  lead_ms: number;
}

export interface Start {
  type: "start";
}

export type State = "ended" | "following" | "lost" | "orchestra" | "paused" | "waiting";

export interface StateMessage {
  type: "state";
  audio_time: number;
  state: State;
  previous: State;
  reason: string;
}

export interface Stop {
  type: "stop";
}

export interface TakeEntry {
  name: string;
  duration: number;
  size_bytes: number;
}

export interface Tempo {
  type: "tempo";
  slowest?: number;
  fastest?: number;
}

export interface Tune {
  type: "tune";
  to: "piano" | "recording";
}

export interface Unlisten {
  type: "unlisten";
}

export interface Unmark {
  type: "unmark";
  name: string;
}

export interface Upload {
  type: "upload";
  file: string;
  size_bytes: number;
}

export interface UploadedMessage {
  type: "uploaded";
  file: string;
  duration: number;
}

export interface Volume {
  type: "volume";
  level_db: number;
}

export interface Watch {
  type: "watch";
  session: string;
}

export type Request = AskHello | Ping | AskList | Watch | OpenAudio | ReportGap | Captured | EndAudio | Start | Stop | Pause | Resume | Seek | PlaybackPosition | Begin | BeginAt | Again | Loop | EndLoop | LeadIn | LeadInBars | CountIn | Volume | Tempo | Tune | Record | EndRecord | Mark | Unmark | Listen | Heard | Unlisten | AskLibrary | Upload | Prepare | Cancel | Rename | Delete | AskOverview | Fetch;
export type Message = HelloMessage | PositionMessage | StateMessage | JumpMessage | ElsewhereMessage | GapMessage | NoticeMessage | PracticeMessage | MarkersMessage | ErrorMessage | PongMessage | ListMessage | EndedMessage | SoundMessage | QuietMessage | LibraryMessage | UploadedMessage | FetchedMessage | OverviewMessage;
