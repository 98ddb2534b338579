import type { Hmac } from "../../core/standard-webhooks.ts";

/** WebCrypto behind the neutral ports: the same bytes as on Node. */

function base64(bytes: ArrayBuffer): string {
  let text = "";
  for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
  return btoa(text);
}

function bytesOf(base64Text: string): Uint8Array {
  const text = atob(base64Text);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

export const hmac: Hmac = async (keyBase64, text) => {
  const key = await crypto.subtle.importKey("raw", bytesOf(keyBase64), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return base64(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text)));
};

const sha256 = (text: string): Promise<ArrayBuffer> => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));

export const digest64 = async (text: string): Promise<string> => base64(await sha256(text));

export const digest = async (text: string): Promise<string> =>
  [...new Uint8Array(await sha256(text))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
