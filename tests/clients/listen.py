"""Listens with pyaviso 2.x: python listen.py BASE_URL JSON_OF_LISTEN_KEYWORDS.

One line per notification: its number and its payload as JSON. The last line is "end" or the name of the error.
"""

import json
import os
import sys

from pyaviso import Anonymous, AvisoClient, AvisoError

client = AvisoClient(base_url=sys.argv[1], auth=Anonymous(), timeout=10)
keywords = json.loads(sys.argv[2])
try:
    for notification in client.listen(**keywords):
        print(notification.sequence, json.dumps(notification.payload), flush=True)
    print("end", flush=True)
except AvisoError as error:
    print(type(error).__name__, getattr(error, "reason", None) or getattr(error, "body", None) or error, flush=True)

# Threads of the extension may still hold Python when it ends, and crash it ("PyGILState_Release ... when releasing"): one run of 72 did.
sys.stdout.flush()
os._exit(0)
