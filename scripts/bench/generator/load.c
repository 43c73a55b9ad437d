/*
 * The load generator of the benchmark: one thread, raw sockets, some microseconds a request, so that the server is measured and not this.
 *
 *   load HOST PORT SECONDS LOAD...
 *
 * SECONDS of 0: until standard input ends. A LOAD is one argument: KEY=VALUE pairs, a line each:
 *
 *   kind=post   name=N connections=C file=F [rate=R] [requests=Q] [first=K] [per=P] [modulo=M]
 *       Posts the request in file F, as it stands there, but each run of ten '#' becomes the next number in ten digits, counted from K. Runs
 *       of '@' show that number once more: ten of them all digits, five or three its last digits, four the four before the last five. A run
 *       of three '^' is that number modulo M, five are the last digits of that number divided by M. A run of twelve '%' becomes the number after the highest "revision" in an answer so far, or K, with spaces before it. A request holds P
 *       notifications (default: 1).
 *       Without a rate each connection sends its next request when it has the answer. With one, requests are due at R a second whether or
 *       not answers come, and the latency counts from when a request was due. It ends after SECONDS, or after Q requests.
 *   kind=listen name=N connections=C file=F tag=T [timed=U] [expect=E] [after=A] [sparse=1]
 *       Sends the request in F and reads what streams back. After each T stands a decimal number, which has to be one more than the one before
 *       (sparse: only greater), and the first one than A, if there is one. After each U stands the number that a post of this process has sent: the latency counts from there. It ends
 *       when each connection has had E numbers (default: as many as were posted).
 *
 *   Both: [protocol=http|grpc|nats|redis|mqtt] [hello=F] [ready=HEX]
 *       How answers look (default: http). The bytes in file F are sent first on each connection, and the load begins when these bytes have
 *       come. In F and in a request a run of three to six '~' becomes the number of the connection, counted from 0.
 *       grpc: a request is whole HTTP/2 frames of one stream, whose number is put in.
 *
 * With a listener it prints {"open":N} when all streams are open, and goes on after a byte on standard input. Then it prints one JSON object
 * for each load, a line each, and one with the processor time of this process, and keeps streams open until standard input ends.
 * Latencies are in milliseconds.
 * Exits with 1 if a request was not answered with success, or a number was missing, surplus, repeated or out of order; with 2 if a connection
 * broke.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_LOADS = 8, MAX_MARKERS = 1024, DIGITS = 10, REVISION_DIGITS = 12, READ_BYTES = 1 << 20, MAX_REST = 1 << 20, MAX_READY = 64 };
/* Streams that are opened at the same time: fewer than the queue of a listening socket holds. */
enum { OPEN_AT_ONCE = 500 };
enum { FRAME_HEAD = 9, FRAME_DATA = 0, FRAME_HEADERS = 1, FRAME_RESET = 3, FRAME_GOAWAY = 7, END_STREAM = 1 };
/* Longest wait for answers and deliveries after the last request. */
static const double SETTLE_SECONDS = 60;

typedef struct Load Load;

/* A place in a request where digits of a number stand. */
typedef struct {
  size_t at;
  int digits;
  /* What the number is divided by first. */
  uint64_t divisor;
  /* What it is then taken modulo of. */
  uint64_t modulo;
  int is_next, is_revision;
} Marker;

typedef struct {
  Load *load;
  int fd;
  /* What is being sent. */
  char *out;
  size_t out_length, out_sent;
  int is_busy, has_head;
  /* gRPC: the number of the newest stream, and whether it has had a message. */
  uint32_t stream;
  int has_message;
  double due;
  /* Bytes of an answer, or of a frame, that has not ended. */
  char *rest;
  size_t rest_length, rest_size;
  /* Listeners: numbers had, the last one, and the number of the post that a frame came from. */
  uint64_t had;
  int64_t last;
} Connection;

/* Finds the answer at the start of a text. @returns its length with what stands before it, 0 while it is not whole; sets whether it is good */
typedef size_t (*AnswerReader)(Connection *connection, const char *text, size_t length, int *is_good);

struct Load {
  const char *name, *tag, *timed;
  AnswerReader read_answer;
  /* What each connection sends first, and what it then waits for. */
  char *hello, ready[MAX_READY];
  size_t hello_length, ready_length;
  int64_t after;
  int is_listen, is_sparse, is_http, is_grpc, has_revision, connections;
  double rate;
  uint64_t requests, first, expect, per, modulo;
  /* Highest revision in an answer. */
  uint64_t revision;
  char *template;
  Marker markers[MAX_MARKERS];
  size_t length, marker_count;
  Connection *each;
  /* Idle connections, the one that has been idle longest first. */
  int *idle, idle_from, idle_count;
  uint64_t sent, answered, refused, skipped, disordered, bytes, reads;
  double started, ended, first_at;
  float *latencies;
  size_t latency_count, latency_size;
  char wrong[512];
};

static Load loads[MAX_LOADS];
static int load_count, poller, is_over;
static uint64_t counter, sent_first;
/* When the request with a number was due, from number `sent_first` on. */
static double *sent_at;
static size_t sent_size;
static char chunk[READ_BYTES + MAX_REST];

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(2);
}

static void *grow(void *memory, size_t bytes) {
  void *grown = realloc(memory, bytes);
  if (grown == NULL) fail("no memory for %zu bytes", bytes);
  return grown;
}

static void add_latency(Load *load, double seconds) {
  if (load->latency_count == load->latency_size) {
    load->latency_size = load->latency_size == 0 ? 65536 : load->latency_size * 2;
    load->latencies = grow(load->latencies, load->latency_size * sizeof(float));
  }
  load->latencies[load->latency_count++] = (float)(seconds * 1000);
}

static void note_sent(uint64_t number, double at) {
  size_t index = number - sent_first;
  if (index >= sent_size) {
    sent_size = sent_size == 0 ? 65536 : sent_size * 2;
    sent_at = grow(sent_at, sent_size * sizeof(double));
  }
  sent_at[index] = at;
}

/* Sends what is left to be sent. */
static void flush(Connection *connection) {
  while (connection->out_sent < connection->out_length) {
    ssize_t written = send(connection->fd, connection->out + connection->out_sent, connection->out_length - connection->out_sent, MSG_NOSIGNAL);
    if (written < 0) {
      if (errno == EAGAIN) return;
      fail("%s: a connection broke while sending: %s", connection->load->name, strerror(errno));
    }
    connection->out_sent += (size_t)written;
  }
}

/* Puts the number of a connection where '~' stand. */
static void put_index(char *text, size_t length, int index) {
  for (size_t at = 0; at < length; at++) {
    size_t end = at;
    while (end < length && text[end] == '~') end++;
    if (end - at < 3 || end - at > 6) continue;
    for (uint64_t rest = (uint64_t)index, place = end; place > at; rest /= 10) text[--place] = (char)('0' + rest % 10);
    at = end;
  }
}

static char *copy_for(const Connection *connection, const char *text, size_t length) {
  char *copy = grow(NULL, length);
  memcpy(copy, text, length);
  put_index(copy, length, (int)(connection - connection->load->each));
  return copy;
}

static uint32_t number_at(const char *text, int bytes) {
  uint32_t number = 0;
  for (int index = 0; index < bytes; index++) number = number << 8 | (unsigned char)text[index];
  return number;
}

/* Gives the HTTP/2 frames of a request the number of a new stream. */
static void number_stream(Connection *connection) {
  connection->stream = connection->stream == 0 ? 1 : connection->stream + 2;
  connection->has_message = 0;
  uint32_t number = htonl(connection->stream);
  for (size_t at = 0; at + FRAME_HEAD <= connection->load->length; at += FRAME_HEAD + number_at(connection->out + at, 3))
    memcpy(connection->out + at + 5, &number, sizeof number);
}

static void send_request(Connection *connection, double due) {
  Load *load = connection->load;
  if (connection->out == NULL) connection->out = copy_for(connection, load->template, load->length);
  if (load->is_grpc) number_stream(connection);
  for (size_t index = 0; index < load->marker_count; index++) {
    const Marker *marker = &load->markers[index];
    if (marker->is_revision) {
      char text[32];
      snprintf(text, sizeof text, "%*llu", marker->digits, (unsigned long long)load->revision + 1);
      memcpy(connection->out + marker->at, text, (size_t)marker->digits);
      continue;
    }
    if (marker->is_next) note_sent(counter++, due);
    uint64_t number = (counter - 1) / marker->divisor % marker->modulo;
    char *digit = connection->out + marker->at + marker->digits;
    for (int place = 0; place < marker->digits; place++, number /= 10) *--digit = (char)('0' + number % 10);
  }
  connection->out_length = load->length;
  connection->out_sent = 0;
  connection->is_busy = 1;
  connection->due = due;
  load->sent++;
  flush(connection);
}

static int may_send(const Load *load) {
  return load->requests > 0 ? load->sent < load->requests : !is_over;
}

static void push_idle(Load *load, int index) {
  load->idle[(load->idle_from + load->idle_count++) % load->connections] = index;
}

static Connection *take_idle(Load *load) {
  int index = load->idle[load->idle_from];
  load->idle_from = (load->idle_from + 1) % load->connections;
  load->idle_count--;
  return &load->each[index];
}

static void take_answer(Connection *connection, int is_good, const char *text, size_t length) {
  Load *load = connection->load;
  double at = now();
  connection->is_busy = 0;
  load->answered++;
  load->ended = at;
  add_latency(load, at - connection->due);
  static const char revision_tag[] = "\"revision\":\"";
  const char *revision = load->has_revision ? memmem(text, length, revision_tag, sizeof revision_tag - 1) : NULL;
  if (revision != NULL) {
    uint64_t number = strtoull(revision + sizeof revision_tag - 1, NULL, 10);
    if (number > load->revision) load->revision = number;
  }
  if (!is_good && load->refused++ == 0) snprintf(load->wrong, sizeof load->wrong, "%.*s", (int)(length > 400 ? 400 : length), text);
  if (load->rate == 0 && may_send(load)) send_request(connection, at);
  else push_idle(load, (int)(connection - load->each));
}

static size_t read_http(Connection *connection, const char *text, size_t length, int *is_good) {
  (void)connection;
  int status = length > 12 ? atoi(text + 9) : 0;
  *is_good = status >= 200 && status <= 299;
  const char *end = memmem(text, length, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  size_t head = (size_t)(end - text) + 4;
  for (const char *line = text; line < end; line++) {
    line = memchr(line, '\n', head - (size_t)(line - text));
    if (line == NULL) break;
    if (strncasecmp(line + 1, "content-length:", 15) == 0) {
      size_t whole = head + strtoull(line + 16, NULL, 10);
      return whole <= length ? whole : 0;
    }
    if (strncasecmp(line + 1, "transfer-encoding:", 18) == 0) {
      size_t at = head;
      for (;;) {
        const char *size_end = memmem(text + at, length - at, "\r\n", 2);
        if (size_end == NULL) return 0;
        size_t size = strtoull(text + at, NULL, 16);
        at = (size_t)(size_end - text) + 2 + size + 2;
        if (at > length) return 0;
        if (size == 0) return at;
      }
    }
  }
  return head;
}

/* A message arrives in a frame, and the stream ends in another one. A failure ends the stream without a message. */
static size_t read_grpc(Connection *connection, const char *text, size_t length, int *is_good) {
  for (size_t at = 0; at + FRAME_HEAD <= length;) {
    size_t size = number_at(text + at, 3), end = at + FRAME_HEAD + size;
    int type = text[at + 3], flags = text[at + 4];
    uint32_t stream = number_at(text + at + 5, 4);
    if (end > length) return 0;
    if (type == FRAME_GOAWAY) fail("%s: the server ended a connection", connection->load->name);
    if (stream == connection->stream) {
      if (type == FRAME_DATA && size > 0) connection->has_message = 1;
      if (type == FRAME_RESET || ((type == FRAME_DATA || type == FRAME_HEADERS) && (flags & END_STREAM) != 0)) {
        *is_good = type != FRAME_RESET && connection->has_message;
        return end;
      }
    }
    at = end;
  }
  return 0;
}

/* An acknowledgement is a message to the inbox of the connection. */
static size_t read_nats(Connection *connection, const char *text, size_t length, int *is_good) {
  (void)connection;
  for (size_t at = 0;;) {
    const char *end = memmem(text + at, length - at, "\r\n", 2);
    if (end == NULL) return 0;
    size_t next = (size_t)(end - text) + 2;
    if (strncmp(text + at, "MSG ", 4) == 0) {
      const char *size = end;
      while (size[-1] != ' ') size--;
      size_t whole = next + strtoull(size, NULL, 10) + 2;
      if (whole > length) return 0;
      *is_good = memmem(text + next, whole - next, "\"seq\":", 6) != NULL;
      return whole;
    }
    if (text[at] == '-') return next;
    at = next;
  }
}

/* An answer of one line, or a text with its length. */
static size_t read_redis(Connection *connection, const char *text, size_t length, int *is_good) {
  (void)connection;
  const char *end = memmem(text, length, "\r\n", 2);
  if (end == NULL) return 0;
  size_t whole = (size_t)(end - text) + 2;
  if (text[0] == '$') whole += strtoull(text + 1, NULL, 10) + 2;
  *is_good = text[0] != '-';
  return whole <= length ? whole : 0;
}

/* An acknowledgement has four bytes. */
static size_t read_mqtt(Connection *connection, const char *text, size_t length, int *is_good) {
  (void)connection;
  if (length < 4) return 0;
  *is_good = text[0] == 0x40;
  return 4;
}

/* Reads frames. @returns the bytes that are done with. */
static size_t scan(Connection *connection, const char *text, size_t length, double at) {
  Load *load = connection->load;
  size_t tag_length = strlen(load->tag), timed_length = load->timed == NULL ? 0 : strlen(load->timed), from = 0;
  for (;;) {
    const char *found = memmem(text + from, length - from, load->tag, tag_length);
    if (found == NULL) {
      size_t kept = tag_length - 1;
      return length - from > kept ? length - kept : from;
    }
    const char *digit = found + tag_length, *end = text + length;
    int64_t number = 0;
    while (digit < end && *digit >= '0' && *digit <= '9') number = number * 10 + (*digit++ - '0');
    if (digit == end) return (size_t)(found - text);
    uint64_t sent = (uint64_t)number;
    if (timed_length > 0 && strcmp(load->timed, load->tag) != 0) {
      const char *timed = memmem(digit, (size_t)(end - digit), load->timed, timed_length);
      if (timed == NULL || timed + timed_length + DIGITS > end) return (size_t)(found - text);
      sent = strtoull(timed + timed_length, NULL, 10);
      digit = timed + timed_length + DIGITS;
    }
    if (timed_length > 0 && sent >= sent_first && sent < counter) add_latency(load, at - sent_at[sent - sent_first]);
    if (connection->last >= 0) {
      if (number > connection->last) load->skipped += load->is_sparse ? 0 : (uint64_t)(number - connection->last - 1);
      else load->disordered++;
    }
    connection->last = number;
    if (load->answered == 0) load->first_at = at;
    connection->had++;
    load->answered++;
    load->ended = at;
    from = (size_t)(digit - text);
  }
}

/* Waits for what comes before the load. @returns the bytes that are done with */
static size_t pass_ready(Connection *connection, const char *text, size_t length) {
  const Load *load = connection->load;
  const char *end = memmem(text, length, load->ready, load->ready_length);
  if (end == NULL) return 0;
  if (load->is_http && strncmp(text, "HTTP/1.1 200", 12) != 0) fail("%s: a stream was refused: %.*s", load->name, (int)(length > 400 ? 400 : length), text);
  connection->has_head = 1;
  return (size_t)(end - text) + load->ready_length;
}

/* @returns whether there may be more to read at once */
static int receive(Connection *connection) {
  Load *load = connection->load;
  memcpy(chunk, connection->rest, connection->rest_length);
  ssize_t got = recv(connection->fd, chunk + connection->rest_length, READ_BYTES, 0);
  if (got < 0 && errno == EAGAIN) return 0;
  if (got <= 0) fail("%s: the server closed a connection: %.*s", load->name, (int)(connection->rest_length > 400 ? 400 : connection->rest_length), chunk);
  load->bytes += (uint64_t)got;
  size_t length = connection->rest_length + (size_t)got, done = 0;
  connection->rest_length = 0;
  if (!connection->has_head) done = pass_ready(connection, chunk, length);
  if (connection->has_head && load->is_listen) {
    uint64_t before = connection->had;
    done += scan(connection, chunk + done, length - done, now());
    if (connection->had > before) load->reads++;
  } else if (connection->has_head && connection->is_busy) {
    int is_good = 0;
    size_t whole = load->read_answer(connection, chunk + done, length - done, &is_good);
    if (whole > 0) take_answer(connection, is_good, chunk + done, whole);
    done += whole;
  }
  connection->rest_length = length - done;
  if (connection->rest_length > MAX_REST) fail("%s: an answer is larger than %d bytes", load->name, MAX_REST);
  if (connection->rest_length > connection->rest_size) {
    connection->rest_size = connection->rest_length * 2;
    connection->rest = grow(connection->rest, connection->rest_size);
  }
  memcpy(connection->rest, chunk + done, connection->rest_length);
  return got == READ_BYTES;
}

static void open_connection(Load *load, int index, const struct sockaddr_in *address) {
  Connection *connection = &load->each[index];
  int one = 1;
  *connection = (Connection){.load = load, .last = load->after};
  connection->rest = grow(NULL, 64);
  connection->rest_size = 64;
  connection->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connection->fd < 0) fail("%s: no socket: %s", load->name, strerror(errno));
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  /* A reset at the end, because thousands of ports in TIME_WAIT would be missing in the next run. */
  setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
  if (connect(connection->fd, (const struct sockaddr *)address, sizeof *address) != 0) fail("%s: no connection: %s", load->name, strerror(errno));
  if (load->hello_length > 0) {
    char *hello = copy_for(connection, load->hello, load->hello_length);
    if (send(connection->fd, hello, load->hello_length, MSG_NOSIGNAL) != (ssize_t)load->hello_length) fail("%s: a connection broke while opening", load->name);
    free(hello);
  }
  connection->has_head = load->ready_length == 0;
  fcntl(connection->fd, F_SETFL, O_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
  epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event);
}

static char *read_file(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) fail("%s: %s", path, strerror(errno));
  fseek(file, 0, SEEK_END);
  *length = (size_t)ftell(file);
  rewind(file);
  char *text = grow(NULL, *length + 1);
  if (fread(text, 1, *length, file) != *length) fail("%s cannot be read", path);
  fclose(file);
  return text;
}

static AnswerReader reader_of(const char *protocol) {
  static const struct {
    const char *name;
    AnswerReader read;
  } known[] = {{"http", read_http}, {"grpc", read_grpc}, {"nats", read_nats}, {"redis", read_redis}, {"mqtt", read_mqtt}};
  for (size_t index = 0; index < sizeof known / sizeof *known; index++)
    if (strcmp(protocol, known[index].name) == 0) return known[index].read;
  fail("%s is no protocol", protocol);
  return NULL;
}

static void parse_ready(Load *load, const char *hex) {
  for (unsigned byte; load->ready_length < MAX_READY && sscanf(hex, "%2x", &byte) == 1; hex += 2) load->ready[load->ready_length++] = (char)byte;
}

static int is_marker(char first, int digits) {
  if (first == '%') return digits == REVISION_DIGITS;
  if (first == '#') return digits == DIGITS;
  if (first == '^') return digits == 3 || digits == 5;
  return (digits >= 3 && digits <= 5) || digits == DIGITS;
}

static void parse_load(char *text) {
  Load *load = &loads[load_count++];
  const char *file = NULL, *hello = NULL, *protocol = "http";
  load->per = load->modulo = 1;
  load->after = -1;
  for (char *word = strtok(text, "\n"); word != NULL; word = strtok(NULL, "\n")) {
    char *value = strchr(word, '=');
    if (value == NULL) fail("%s is no KEY=VALUE", word);
    *value++ = 0;
    if (strcmp(word, "kind") == 0) load->is_listen = strcmp(value, "listen") == 0;
    else if (strcmp(word, "name") == 0) load->name = value;
    else if (strcmp(word, "connections") == 0) load->connections = atoi(value);
    else if (strcmp(word, "file") == 0) file = value;
    else if (strcmp(word, "rate") == 0) load->rate = atof(value);
    else if (strcmp(word, "requests") == 0) load->requests = strtoull(value, NULL, 10);
    else if (strcmp(word, "first") == 0) load->first = strtoull(value, NULL, 10);
    else if (strcmp(word, "per") == 0) load->per = strtoull(value, NULL, 10);
    else if (strcmp(word, "tag") == 0) load->tag = value;
    else if (strcmp(word, "timed") == 0) load->timed = value;
    else if (strcmp(word, "after") == 0) load->after = strtoll(value, NULL, 10);
    else if (strcmp(word, "modulo") == 0) load->modulo = strtoull(value, NULL, 10);
    else if (strcmp(word, "sparse") == 0) load->is_sparse = atoi(value);
    else if (strcmp(word, "protocol") == 0) protocol = value;
    else if (strcmp(word, "hello") == 0) hello = value;
    else if (strcmp(word, "ready") == 0) parse_ready(load, value);
    else if (strcmp(word, "expect") == 0) load->expect = strtoull(value, NULL, 10);
    else fail("%s is no word of a load", word);
  }
  if (load->name == NULL || file == NULL || load->connections < 1 || load->modulo < 1 || (load->is_listen && load->tag == NULL)) fail("a load lacks a word");
  load->template = read_file(file, &load->length);
  if (hello != NULL) load->hello = read_file(hello, &load->hello_length);
  load->read_answer = reader_of(protocol);
  load->is_http = load->read_answer == read_http;
  load->is_grpc = load->read_answer == read_grpc;
  if (load->is_http && load->is_listen) parse_ready(load, "0d0a0d0a");
  for (size_t at = 0; !load->is_listen && at < load->length; at++) {
    char first = load->template[at];
    if (first != '#' && first != '@' && first != '%' && first != '^') continue;
    size_t end = at;
    while (end < load->length && load->template[end] == first) end++;
    int digits = (int)(end - at);
    if (is_marker(first, digits)) {
      if (load->marker_count == MAX_MARKERS) fail("%s: more than %d numbers in a request", load->name, MAX_MARKERS);
      load->markers[load->marker_count++] = (Marker){
          .at = at,
          .digits = digits,
          .divisor = first == '@' && digits == 4 ? 100000 : first == '^' && digits == 5 ? load->modulo : 1,
          .modulo = first == '^' && digits == 3 ? load->modulo : UINT64_MAX,
          .is_next = first == '#',
          .is_revision = first == '%',
      };
    }
    if (first == '%' && digits == REVISION_DIGITS) load->has_revision = 1;
    at = end - 1;
  }
  load->revision = load->first;
  load->each = grow(NULL, (size_t)load->connections * sizeof(Connection));
  load->idle = grow(NULL, (size_t)load->connections * sizeof(int));
}

static int compare(const void *a, const void *b) {
  float left = *(const float *)a, right = *(const float *)b;
  return (left > right) - (left < right);
}

static double percentile(const Load *load, double share) {
  size_t index = (size_t)((double)load->latency_count * share);
  return load->latency_count == 0 ? -1 : load->latencies[index < load->latency_count ? index : load->latency_count - 1];
}

static uint64_t posted(void) {
  uint64_t sum = 0;
  for (int index = 0; index < load_count; index++)
    if (!loads[index].is_listen) sum += loads[index].sent * loads[index].per;
  return sum;
}

/* What a load still waits for. */
static uint64_t missing(const Load *load) {
  if (!load->is_listen) return load->sent - load->answered;
  uint64_t each = load->expect > 0 ? load->expect : posted(), sum = 0;
  for (int index = 0; index < load->connections; index++)
    if (load->each[index].had < each) sum += each - load->each[index].had;
  return sum;
}

/* What a listener has had beyond what it waits for. */
static uint64_t surplus(const Load *load) {
  uint64_t each = load->expect > 0 ? load->expect : posted(), sum = 0;
  /* Others post to streams that wait for nothing. */
  if (each == 0) return 0;
  for (int index = 0; load->is_listen && index < load->connections; index++)
    if (load->each[index].had > each) sum += load->each[index].had - each;
  return sum;
}

static void print_text(const char *text) {
  for (; *text != 0; text++) {
    if (*text == '"' || *text == '\\') printf("\\%c", *text);
    else if ((unsigned char)*text < 0x20) printf("\\u%04x", *text);
    else putchar(*text);
  }
}

static int report(Load *load) {
  if (load->latency_count > 0) qsort(load->latencies, load->latency_count, sizeof(float), compare);
  double seconds = load->ended - load->started;
  uint64_t left = missing(load), more = surplus(load);
  printf("{\"name\":\"%s\",\"count\":%llu,\"seconds\":%.6f,\"perSecond\":%.3f", load->name, (unsigned long long)load->answered, seconds, seconds > 0 ? (double)load->answered / seconds : 0);
  printf(",\"refused\":%llu,\"missing\":%llu,\"skipped\":%llu,\"disordered\":%llu,\"surplus\":%llu,\"bytes\":%llu,\"reads\":%llu", (unsigned long long)load->refused, (unsigned long long)left, (unsigned long long)load->skipped, (unsigned long long)load->disordered, (unsigned long long)more, (unsigned long long)load->bytes, (unsigned long long)load->reads);
  if (load->is_listen && load->answered > 0) printf(",\"firstMs\":%.3f", (load->first_at - load->started) * 1000);
  if (load->latency_count > 0) printf(",\"latencyMs\":{\"p50\":%.4f,\"p90\":%.4f,\"p99\":%.4f,\"p999\":%.4f,\"max\":%.4f}", percentile(load, 0.5), percentile(load, 0.9), percentile(load, 0.99), percentile(load, 0.999), percentile(load, 1));
  if (load->wrong[0] != 0) {
    printf(",\"wrong\":\"");
    print_text(load->wrong);
    printf("\"");
  }
  printf("}\n");
  return load->refused + left + load->skipped + load->disordered + more > 0;
}

/* Waits for what comes, at most so long. */
static void turn(double wait) {
  static struct epoll_event events[1024];
  /* A wait of epoll counts in milliseconds, and a request has to go out when it is due. */
  struct timespec limit = {.tv_sec = (time_t)wait, .tv_nsec = (long)((wait - (double)(time_t)wait) * 1e9)};
  ppoll(&(struct pollfd){.fd = poller, .events = POLLIN}, 1, &limit, NULL);
  int count = epoll_wait(poller, events, 1024, 0);
  for (int index = 0; index < count; index++) {
    Connection *connection = events[index].data.ptr;
    if (events[index].events & EPOLLOUT) flush(connection);
    if (events[index].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
      while (receive(connection)) continue;
  }
}

/* Sends what is due. @returns the seconds until the next request is. */
static double send_due(Load *load, double at) {
  while (may_send(load) && load->idle_count > 0) {
    double due = load->started + (double)load->sent / load->rate;
    if (due > at) return due - at;
    send_request(take_idle(load), due);
  }
  return 0.05;
}

static int has_input_ended(void) {
  char byte;
  struct pollfd input = {.fd = 0, .events = POLLIN};
  return poll(&input, 1, 0) > 0 && read(0, &byte, 1) <= 0;
}

/* Opens the connections of a load. */
static void open_load(Load *load, const struct sockaddr_in *address) {
  load->started = now();
  for (int from = 0; from < load->connections; from += OPEN_AT_ONCE) {
    int end = from + OPEN_AT_ONCE < load->connections ? from + OPEN_AT_ONCE : load->connections;
    for (int each = from; each < end; each++) {
      open_connection(load, each, address);
      if (load->is_listen) send_request(&load->each[each], 0);
    }
    for (int each = from; each < end; each++)
      while (!load->each[each].has_head) turn(0.1);
  }
  if (load->is_listen) load->sent = 0;
}

/* Reads streams until there is a byte on standard input. @returns 0 when it has ended */
static int await_input(void) {
  struct pollfd both[] = {{.fd = 0, .events = POLLIN}, {.fd = poller, .events = POLLIN}};
  for (;;) {
    char byte;
    poll(both, 2, -1);
    if (both[0].revents != 0) return read(0, &byte, 1) > 0;
    turn(0);
  }
}

int main(int count, char **words) {
  if (count < 5) fail("load HOST PORT SECONDS LOAD...");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[2]))};
  if (inet_pton(AF_INET, words[1], &address.sin_addr) != 1) fail("%s is no IPv4 address", words[1]);
  double seconds = atof(words[3]);
  if (count - 4 > MAX_LOADS) fail("more than %d loads", MAX_LOADS);
  for (int index = 4; index < count; index++) parse_load(words[index]);
  poller = epoll_create1(0);
  for (int index = 0; index < load_count; index++)
    if (!loads[index].has_revision && loads[index].first > counter) counter = loads[index].first;
  sent_first = counter;

  /* Streams are open before the first request is sent, and a server need not wait for the requests of a connection meanwhile. */
  int has_listeners = 0;
  for (int index = 0; index < load_count; index++) {
    if (!loads[index].is_listen) continue;
    has_listeners = 1;
    open_load(&loads[index], &address);
  }
  if (has_listeners) {
    printf("{\"open\":%d}\n", load_count);
    fflush(stdout);
    await_input();
  }
  for (int index = 0; index < load_count; index++)
    if (!loads[index].is_listen) open_load(&loads[index], &address);
  double begun = now(), over_at = begun;
  for (int index = 0; index < load_count; index++) {
    Load *load = &loads[index];
    if (load->is_listen) continue;
    load->started = load->ended = begun;
    for (int each = 0; each < load->connections; each++) push_idle(load, each);
    while (load->rate == 0 && load->idle_count > 0 && may_send(load)) send_request(take_idle(load), now());
  }
  for (;;) {
    double at = now(), wait = 0.05;
    if (seconds > 0 ? at >= begun + seconds : !is_over && has_input_ended()) {
      if (!is_over) over_at = at;
      is_over = 1;
    }
    int is_waiting = 0;
    for (int index = 0; index < load_count; index++) {
      Load *load = &loads[index];
      if (load->rate > 0) {
        double until = send_due(load, at);
        if (until < wait) wait = until;
      }
      if (!load->is_listen && may_send(load)) is_waiting = 1;
    }
    if (!is_waiting || is_over) {
      int is_done = 1;
      for (int index = 0; index < load_count && is_done; index++) is_done = missing(&loads[index]) == 0;
      if (is_done && !is_waiting) break;
      if (is_over && at > over_at + SETTLE_SECONDS) break;
    }
    turn(wait);
  }
  int status = 0;
  for (int index = 0; index < load_count; index++) status |= report(&loads[index]);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"cpuSeconds\":%.6f}\n", (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
  fflush(stdout);
  while (has_listeners && await_input()) continue;
  return status;
}
