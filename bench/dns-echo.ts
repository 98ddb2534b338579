import { createSocket } from "node:dgram";

/** Answers every DNS query with itself and the QR bit set: what the benchmark measures is the way, not the server. Usage: dns-echo.ts ADDRESS */
const [address = "0.0.0.0"] = process.argv.slice(2);
const socket = createSocket("udp4", (query, from) => {
  query[2] = (query[2] ?? 0) | 0x80;
  socket.send(query, from.port, from.address);
});
socket.bind(53, address, () => process.send?.("ready"));
process.on("disconnect", () => process.exit(0));
