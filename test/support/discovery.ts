/** The discovery document of an issuer whose keys are at a host that nobody has declared. */
export const discovery = (issuer: string): string =>
  JSON.stringify({
    issuer,
    authorization_endpoint: `${issuer}authorize`,
    token_endpoint: `${issuer}token`,
    jwks_uri: "https://keys.example.com/jwks",
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
  });
