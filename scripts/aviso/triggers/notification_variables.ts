/**
 * The environment variables that a command trigger sets.
 *
 * @module
 */

/** Their names. A client that a command starts must neither hand them on nor wonder about them. */
export const NOTIFICATION_VARIABLE =
  /^AVISO_(?:EVENT_TYPE|SEQUENCE|IDENTIFIER_.*|(?:PAYLOAD|NOTIFICATION)_JSON(?:_FILE)?|RUN_FILE|GIVEN_BY_FILE|GIVEN_AS_JSON)$/
