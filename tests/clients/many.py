"""Many listeners of one user, with pyaviso 2.x: python many.py BASE_URL TOKEN COUNT NOTIFICATIONS JSON_OF_LISTEN_KEYWORDS.

Each listener is a client of its own, in a thread. It prints "N M" when M listeners have got notification N, and the name of an error.
"""

import json
import os
import sys
import threading

from pyaviso import AvisoClient, AvisoError, Bearer

url, token, count, notifications = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
keywords = json.loads(sys.argv[5])
got = {}
lock = threading.Lock()


def listen():
    seen = 0
    try:
        client = AvisoClient(base_url=url, auth=Bearer(token), timeout=10)
        for notification in client.listen(**keywords):
            seen += 1
            with lock:
                number = notification.sequence
                got[number] = got.get(number, 0) + 1
                if got[number] == count:
                    print(number, count, flush=True)
            if seen == notifications:
                return
    except AvisoError as error:
        print(type(error).__name__, error, flush=True)


threads = [threading.Thread(target=listen) for _ in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("end", flush=True)

# Threads of the extension may still hold Python when it ends, and crash it ("PyGILState_Release ... when releasing"): one run of 72 did.
sys.stdout.flush()
os._exit(0)
