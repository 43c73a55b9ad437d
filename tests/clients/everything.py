"""Everything else that pyaviso 2.x does: python everything.py BASE_URL SCENARIO JSON.

Each scenario prints lines of JSON, one for each thing that happened, and "end".
"""

import asyncio
import json
import os
import sys

from pyaviso import (
    Anonymous,
    AsyncAvisoClient,
    AvisoClient,
    AvisoError,
    JsonFileStore,
    MemoryStore,
    Trigger,
    WatchRequest,
)

url, scenario, given = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])


def tell(*what):
    print(json.dumps(what), flush=True)


def client(**keywords):
    return AvisoClient(base_url=url, auth=Anonymous(), timeout=10, **keywords)


def triggers():
    """Every kind of trigger, on a replay."""
    calls = []

    def function(notification):
        calls.append(notification.sequence)
        if len(calls) == 1:
            raise RuntimeError("the first call fails")

    sink, folder = given["sink"], given["folder"]
    body = '{"id": {{ notification.sequence }}, "place": "{{ notification.identifier.number }}"}'
    record = 'echo "$AVISO_EVENT_TYPE $AVISO_SEQUENCE $AVISO_IDENTIFIER_NUMBER $AVISO_PAYLOAD_JSON $EXTRA" >> command.txt'
    kinds = [
        Trigger.echo(label="echoed"),
        Trigger.log(folder + "/log.ndjson"),
        Trigger.command(record, env={"EXTRA": "extra"}, working_dir=folder, timeout=20),
        Trigger.webhook(sink + "/webhook", method="PUT", headers={"x-from": "aviso"}, body_template=body),
        Trigger.teams(sink + "/teams"),
        Trigger.post(sink + "/post"),
        Trigger.post(sink + "/broken", required=False).fail_fast(True),
        Trigger.function(function, retries=1, label="called"),
    ]
    for notification in client().listen(**given["listen"], triggers=kinds):
        tell("delivered", notification.sequence, notification.payload)
    tell("called", calls)


def many():
    """Several listeners in one loop: one that fails is left out."""
    request = WatchRequest.replay_only("flight", 1, until=3).with_filter({"country": "Italy"})
    listeners = {**given["listeners"], "request": request}
    errors = []
    iterator = client().listen_many(listeners, on_error=lambda name, error: errors.append((name, type(error).__name__)))
    got = {}
    for name, notification in iterator:
        got.setdefault(name, []).append(notification.sequence)
    tell("got", dict(sorted(got.items())))
    tell("errors", errors)


def state():
    """Goes on where the file says, up to a number of notifications."""
    store = JsonFileStore(given["file"]) if "file" in given else MemoryStore()
    listening = client(state_store=store, flush_cursor_on_exit=True)
    seen = 0
    with listening.listen(**given["listen"]) as notifications:
        for notification in notifications:
            tell("delivered", notification.sequence)
            seen += 1
            if seen == given["count"]:
                break


def operate():
    """Publishing several, schemas, deleting and wiping."""
    operator = client()
    results = operator.notify_many(given["notifications"], concurrency=4)
    tell("notified", [(result.index, result.ok, type(result.error).__name__) for result in results])
    tell("types", operator.schema().event_types, operator.schema_for("flight").schema["payload"]["required"])
    numbers = lambda: [each.sequence for each in operator.listen("flight", mode="replay_only", start_from=0, filter={"country": "Italy"})]
    tell("before", numbers())
    operator.delete_notification("flight@1")
    tell("deleted", numbers())
    try:
        operator.delete_notification("flight@99")
    except AvisoError as error:
        tell("error", type(error).__name__, error.status)
    operator.wipe_stream("FLIGHT")
    tell("wiped", numbers())
    operator.wipe_all()


async def listen_async():
    listening = AsyncAvisoClient(base_url=url, auth=Anonymous(), timeout=10)
    response = await listening.notify(**given["notification"])
    tell("notified", response.status)
    called = []

    async def function(notification):
        called.append(notification.sequence)

    iterator = listening.listen(**given["listen"], triggers=[Trigger.function(function)])
    async for notification in iterator:
        tell("delivered", notification.sequence, notification.payload)
    tell("called", called)


scenarios = {"triggers": triggers, "many": many, "state": state, "operate": operate}
if scenario == "async":
    asyncio.run(listen_async())
else:
    scenarios[scenario]()
print("end", flush=True)

# Threads of the extension may still hold Python when it ends, and crash it ("PyGILState_Release ... when releasing"): one run of 72 did.
sys.stdout.flush()
os._exit(0)
