/*
 * The load generator of the benchmark: one thread, raw sockets, some microseconds a request, so that the server is measured and not this.
 *
 *   load HOST PORT SECONDS LOAD...
 *
 * SECONDS of 0: until standard input ends. A LOAD is one argument: KEY=VALUE pairs, a line each:
 *
 *   kind=post   name=N connections=C file=F [rate=R] [requests=Q] [first=K] [per=P]
 *       Posts the request in file F, as it stands there, but each run of ten '#' becomes the next number in ten digits, counted from K. A run
 *       of five '@' becomes its last five digits, a run of four '@' the four digits before those. A run of twelve '%' becomes the number after
 *       the highest "revision" in an answer so far, or K, with spaces before it. A request holds P notifications (default: 1).
 *       Without a rate each connection sends its next request when it has the answer. With one, requests are due at R a second whether or
 *       not answers come, and the latency counts from when a request was due. It ends after SECONDS, or after Q requests.
 *   kind=listen name=N connections=C file=F tag=T [timed=U] [expect=E]
 *       Sends the request in F and reads what streams back. After each T stands a decimal number, which has to be one more than the one before.
 *       After each U stands the number that a post of this process has sent: the latency counts from there. It ends when each connection has
 *       had E numbers (default: as many as were posted).
 *
 * Prints one JSON object for each load, a line each, then one with the processor time of this process. Latencies are in milliseconds.
 * Exits with 1 if a request was not answered with 200, a connection broke, or a number was missing, repeated or out of order.
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

enum { MAX_LOADS = 8, MAX_MARKERS = 1024, DIGITS = 10, REVISION_DIGITS = 12, READ_BYTES = 1 << 20, MAX_REST = 1 << 20 };
/* Longest wait for answers and deliveries after the last request. */
static const double SETTLE_SECONDS = 60;

typedef struct Load Load;

/* A place in a request where digits of a number stand. */
typedef struct {
  size_t at;
  int digits;
  /* What the number is divided by first. */
  uint64_t divisor;
  int is_next, is_revision;
} Marker;

typedef struct {
  Load *load;
  int fd;
  /* What is being sent. */
  char *out;
  size_t out_length, out_sent;
  int is_busy, is_open, has_head;
  double due;
  /* Bytes of an answer, or of a frame, that has not ended. */
  char *rest;
  size_t rest_length, rest_size;
  /* Listeners: numbers had, the last one, and the number of the post that a frame came from. */
  uint64_t had;
  int64_t last;
} Connection;

struct Load {
  const char *name, *tag, *timed;
  int is_listen, has_revision, connections;
  double rate;
  uint64_t requests, first, expect, per;
  /* Highest revision in an answer. */
  uint64_t revision;
  char *template;
  Marker markers[MAX_MARKERS];
  size_t length, marker_count;
  Connection *each;
  /* Idle connections, the one that has been idle longest first. */
  int *idle, idle_from, idle_count;
  uint64_t sent, answered, refused, skipped, disordered, bytes;
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

static void send_request(Connection *connection, double due) {
  Load *load = connection->load;
  if (connection->out == NULL) {
    connection->out = grow(NULL, load->length);
    memcpy(connection->out, load->template, load->length);
  }
  for (size_t index = 0; index < load->marker_count; index++) {
    const Marker *marker = &load->markers[index];
    if (marker->is_revision) {
      char text[32];
      snprintf(text, sizeof text, "%*llu", marker->digits, (unsigned long long)load->revision + 1);
      memcpy(connection->out + marker->at, text, (size_t)marker->digits);
      continue;
    }
    if (marker->is_next) note_sent(counter++, due);
    uint64_t number = (counter - 1) / marker->divisor;
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

static void take_answer(Connection *connection, int status, const char *text, size_t length) {
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
  if (status != 200 && load->refused++ == 0) snprintf(load->wrong, sizeof load->wrong, "%.*s", (int)(length > 400 ? 400 : length), text);
  if (load->rate == 0 && may_send(load)) send_request(connection, at);
  else push_idle(load, (int)(connection - load->each));
}

/* The length of the answer at the start of `text`; 0 while it is not whole. */
static size_t answer_length(const char *text, size_t length) {
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
    if (timed_length > 0) {
      const char *timed = memmem(digit, (size_t)(end - digit), load->timed, timed_length);
      if (timed == NULL || timed + timed_length + DIGITS > end) return (size_t)(found - text);
      uint64_t sent = strtoull(timed + timed_length, NULL, 10);
      if (sent >= sent_first && sent < counter) add_latency(load, at - sent_at[sent - sent_first]);
      digit = timed + timed_length + DIGITS;
    }
    if (connection->last >= 0) {
      if (number > connection->last) load->skipped += (uint64_t)(number - connection->last - 1);
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

static void receive(Connection *connection) {
  Load *load = connection->load;
  memcpy(chunk, connection->rest, connection->rest_length);
  ssize_t got = recv(connection->fd, chunk + connection->rest_length, READ_BYTES, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) fail("%s: the server closed a connection", load->name);
  load->bytes += (uint64_t)got;
  size_t length = connection->rest_length + (size_t)got, done = 0;
  if (load->is_listen) {
    if (!connection->has_head) {
      const char *end = memmem(chunk, length, "\r\n\r\n", 4);
      if (end != NULL) {
        if (strncmp(chunk, "HTTP/1.1 200", 12) != 0) fail("%s: a stream was refused: %.*s", load->name, (int)(length > 400 ? 400 : length), chunk);
        connection->has_head = 1;
        done = (size_t)(end - chunk) + 4;
      }
    }
    if (connection->has_head) done += scan(connection, chunk + done, length - done, now());
  } else {
    size_t whole = answer_length(chunk, length);
    if (whole > 0) {
      connection->rest_length = 0;
      take_answer(connection, atoi(chunk + 9), chunk, length);
      done = length;
    }
  }
  connection->rest_length = length - done;
  if (connection->rest_length > MAX_REST) fail("%s: an answer is larger than %d bytes", load->name, MAX_REST);
  if (connection->rest_length > connection->rest_size) {
    connection->rest_size = connection->rest_length * 2;
    connection->rest = grow(connection->rest, connection->rest_size);
  }
  memcpy(connection->rest, chunk + done, connection->rest_length);
}

static void open_connection(Load *load, int index, const struct sockaddr_in *address) {
  Connection *connection = &load->each[index];
  int one = 1;
  *connection = (Connection){.load = load, .last = -1};
  connection->rest = grow(NULL, 64);
  connection->rest_size = 64;
  connection->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connection->fd < 0) fail("%s: no socket: %s", load->name, strerror(errno));
  setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  /* A reset at the end, because thousands of ports in TIME_WAIT would be missing in the next run. */
  setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
  if (connect(connection->fd, (const struct sockaddr *)address, sizeof *address) != 0) fail("%s: no connection: %s", load->name, strerror(errno));
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

static void parse_load(char *text) {
  Load *load = &loads[load_count++];
  const char *file = NULL;
  load->per = 1;
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
    else if (strcmp(word, "expect") == 0) load->expect = strtoull(value, NULL, 10);
    else fail("%s is no word of a load", word);
  }
  if (load->name == NULL || file == NULL || load->connections < 1 || (load->is_listen && load->tag == NULL)) fail("a load lacks a word");
  load->template = read_file(file, &load->length);
  for (size_t at = 0; !load->is_listen && at < load->length; at++) {
    char first = load->template[at];
    if (first != '#' && first != '@' && first != '%') continue;
    size_t end = at;
    while (end < load->length && load->template[end] == first) end++;
    int digits = (int)(end - at);
    if (first == '%' ? digits == REVISION_DIGITS : first == '#' ? digits == DIGITS : digits == 4 || digits == 5) {
      if (load->marker_count == MAX_MARKERS) fail("%s: more than %d numbers in a request", load->name, MAX_MARKERS);
      load->markers[load->marker_count++] = (Marker){.at = at, .digits = digits, .divisor = digits == 4 ? 100000 : 1, .is_next = first == '#', .is_revision = first == '%'};
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
  uint64_t left = missing(load);
  printf("{\"name\":\"%s\",\"count\":%llu,\"seconds\":%.6f,\"perSecond\":%.3f", load->name, (unsigned long long)load->answered, seconds, seconds > 0 ? (double)load->answered / seconds : 0);
  printf(",\"refused\":%llu,\"missing\":%llu,\"skipped\":%llu,\"disordered\":%llu,\"bytes\":%llu", (unsigned long long)load->refused, (unsigned long long)left, (unsigned long long)load->skipped, (unsigned long long)load->disordered, (unsigned long long)load->bytes);
  if (load->is_listen && load->answered > 0) printf(",\"firstMs\":%.3f", (load->first_at - load->started) * 1000);
  if (load->latency_count > 0) printf(",\"latencyMs\":{\"p50\":%.4f,\"p90\":%.4f,\"p99\":%.4f,\"p999\":%.4f,\"max\":%.4f}", percentile(load, 0.5), percentile(load, 0.9), percentile(load, 0.99), percentile(load, 0.999), percentile(load, 1));
  if (load->wrong[0] != 0) {
    printf(",\"wrong\":\"");
    print_text(load->wrong);
    printf("\"");
  }
  printf("}\n");
  return load->refused + left + load->skipped + load->disordered > 0;
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
    if (events[index].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(connection);
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

  /* Streams are open before the first request is sent. */
  for (int index = 0; index < load_count; index++) {
    Load *load = &loads[index];
    load->started = now();
    for (int each = 0; each < load->connections; each++) open_connection(load, each, &address);
    if (!load->is_listen) continue;
    for (int each = 0; each < load->connections; each++) send_request(&load->each[each], 0);
    load->sent = 0;
    for (int each = 0; each < load->connections; each++)
      while (!load->each[each].has_head) turn(0.1);
  }
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
  return status;
}
