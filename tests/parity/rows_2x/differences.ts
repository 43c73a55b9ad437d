/**
 * Rows of the conformance cases of aviso 2.x in which we differ on purpose. `services/auth/FROM_2X.md` tells operators the same, by the ids.
 */

/** Id → why. */
export const DIFFERENCES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    A14: 'a polygon comes back as an array, as in newer versions (K4), and not as it was typed',
    B1: 'there are no subjects: a value is stored in a key that holds any text',
    B4: 'there are no subjects, so there is no coarse filter of them: one hub matches all listeners',
    B5: 'as B4',
    B6: 'as B4',
    C14: 'event types of a 1.x schema also take eq and in for texts and dates; those of 2.x are as in 2.x',
    E8: 'a date without a time is a start, too: the beginning of that day',
    F12: 'what cannot be read is left out without an error frame, because every such frame ends the official client',
    F18: 'a stream waits for the store with heartbeats, and then ends with server_shutdown, after which a client comes back and loses nothing',
    F19: 'a position that is no longer kept ends with the limit control, in place of a later start in silence',
    F21: 'a reader that stalls is ended with server_shutdown in place of being dropped or kept for ever',
    G7: 'a point on a boundary counts as inside, as every other touching does',
    H19: 'a stream ends with its token; the reason is max_duration_reached, because the official client ends at one that it does not know',
    H20: 'without auth, others may listen and publish, and need a token to delete and to wipe',
    J11: 'a storage policy holds with the backend in memory, too',
    J12: 'a request that fails inside keeps its route, in place of route="error"',
    K6: 'the limit of all event types has no effect: a replay is whole, unless its event type has a limit',
    K9: 'nothing is overwritten: both notifications are delivered',
    L9: 'the limit control also tells of history that is no longer kept',
  }),
)
