import { inject, onScopeDispose, ref, type Ref } from "vue";
import { apiKey } from "../services";

/** 83_000 -> "1m 23s". Under a second in ms, under ten with a tenth, so that quick runs can be compared. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m ${two(whole % 60)}s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}h ${two(minutes % 60)}m`;
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];

/** "3 minutes ago", in the language given. */
export function formatAgo(time: number, now: number, locale: string): string {
  const seconds = Math.max(0, (now - time) / 1000);
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["second", 1];
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
  return words.format(-Math.floor(seconds / size), unit);
}

/** "in 3 minutes"; "now" when it is due. */
export function formatUntil(time: number, now: number, locale: string): string {
  const seconds = Math.max(0, (time - now) / 1000);
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["second", 1];
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
  return words.format(Math.floor(seconds / size), unit);
}

export function formatExact(time: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "long" }).format(time);
}

/** 1536 -> "1.5 KB". */
export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

let shared: Ref<number> | null = null;
let users = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** The server's time in ms, once a second, for as long as someone shows it. */
export function useNow(): Ref<number> {
  const api = inject(apiKey, null);
  const read = (): number => Date.now() + (api?.skew ?? 0);
  const now = (shared ??= ref(read()));
  now.value = read();
  users += 1;
  timer ??= setInterval(() => (now.value = read()), 1000);
  onScopeDispose(() => {
    users -= 1;
    if (users > 0) return;
    clearInterval(timer);
    timer = undefined;
  });
  return now;
}
