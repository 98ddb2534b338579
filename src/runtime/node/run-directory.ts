/** Where `hairpin pause` leaves its file and the sockets lie; the lab runs several hosts on one machine. */
export function runDirectory(): string {
  return process.env["HAIRPIN_RUN"] ?? "/run/hairpin";
}
