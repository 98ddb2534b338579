/**
 * The part of dns-packet that the probes use. The published types pull Node's types into neutral code, where `process` must stay
 * an error.
 */
declare module "dns-packet" {
  export interface Question {
    readonly name: string;
    readonly type: string;
    readonly class?: string;
  }
  export interface Answer {
    readonly name: string;
    readonly type: string;
    readonly class?: string;
    readonly ttl?: number;
    readonly data?: unknown;
  }
  export interface DecodedPacket {
    readonly id: number;
    readonly type: "query" | "response";
    readonly flags: number;
    readonly rcode: string;
    readonly flag_tc: boolean;
    readonly flag_ad: boolean;
    readonly questions: readonly Question[];
    readonly answers: readonly Answer[];
  }
  export interface PacketToEncode {
    readonly type: "query" | "response";
    readonly id: number;
    readonly flags?: number;
    readonly questions?: Question[];
    readonly answers?: unknown[];
    readonly authorities?: unknown[];
    readonly additionals?: unknown[];
  }
  export const RECURSION_DESIRED: number;
  export const TRUNCATED_RESPONSE: number;
  /** Returns a Buffer, whose `slice` is a view: copy it before changing it. */
  export function encode(packet: PacketToEncode): Uint8Array;
  /** Wants a Buffer. Throws RangeError or Error for what is malformed. */
  export function decode(message: Uint8Array): DecodedPacket;
}
