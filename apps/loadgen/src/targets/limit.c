/*
 * Target: the limit. Writes the frames of a tick to every TCP socket with one send() each, from one thread.
 * Usage: limit FRAME_IN_HEX SEQ_OFFSET SEQ_DIGITS; commands on stdin as in control.ts, answers on stdout.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

enum { MAX_FRAME = 4096, MAX_PER_TICK = 64 };

static unsigned char frame[MAX_FRAME];
static int frame_bytes, seq_offset, seq_digits;
static int *sockets, socket_count, socket_capacity;
static long last, blocked;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void write_seq(unsigned char *at, long seq) {
  for (int i = seq_digits - 1; i >= 0; i--, seq /= 10) at[i] = (unsigned char)('0' + seq % 10);
}

static void send_all(int fd, const unsigned char *bytes, size_t size) {
  for (size_t sent = 0; sent < size;) {
    ssize_t n = send(fd, bytes + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      sent += (size_t)n;
    } else if (errno == EAGAIN || errno == EINTR) {
      struct pollfd ready = {.fd = fd, .events = POLLOUT};
      blocked++;
      poll(&ready, 1, 1000);
    } else {
      return; /* the client is gone: the harness sees what is missing */
    }
  }
}

static void run_ticks(int rooms, int per_tick, double ms, double gap_ms) {
  static unsigned char batch[MAX_FRAME * MAX_PER_TICK];
  struct timespec gap = {.tv_sec = (long)(gap_ms / 1e3), .tv_nsec = (long)(gap_ms * 1e6) % 1000000000L};
  double end = now_ms() + ms;
  long ticks = 0;
  for (; now_ms() < end; ticks++) {
    for (int i = 0; i < per_tick; i++) {
      memcpy(batch + i * frame_bytes, frame, (size_t)frame_bytes);
      write_seq(batch + i * frame_bytes + seq_offset, ++last);
    }
    /* A socket's room is its number modulo rooms: room by room, as a server walks them. */
    for (int room = 0; room < rooms; room++)
      for (int s = room; s < socket_count; s += rooms)
        send_all(sockets[s], batch, (size_t)(per_tick * frame_bytes));
    nanosleep(&gap, NULL);
  }
  printf("{\"bench\":\"ticks\",\"ticks\":%ld,\"last\":%ld,\"blocked\":%ld}\n", ticks, last, blocked);
  blocked = 0;
}

static int listen_anywhere(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) || listen(fd, 1024)) {
    perror("limit");
    exit(1);
  }
  fcntl(fd, F_SETFL, O_NONBLOCK);
  getsockname(fd, (struct sockaddr *)&address, &size);
  printf("{\"bench\":\"ready\",\"port\":%d,\"name\":\"C, one send() per socket\"}\n", ntohs(address.sin_port));
  return fd;
}

/* A connection stands for the client before it is accepted here: ticks must not start without those. */
static void take_clients(int listener) {
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (socket_count == socket_capacity) {
      socket_capacity = socket_capacity ? socket_capacity * 2 : 1024;
      sockets = realloc(sockets, sizeof *sockets * (size_t)socket_capacity);
      if (!sockets) exit(1);
    }
    sockets[socket_count++] = fd;
  }
}

int main(int argc, char **argv) {
  if (argc != 4 || strlen(argv[1]) / 2 > MAX_FRAME) return 64;
  frame_bytes = (int)strlen(argv[1]) / 2;
  for (int i = 0; i < frame_bytes; i++) {
    unsigned byte;
    sscanf(argv[1] + 2 * i, "%2x", &byte);
    frame[i] = (unsigned char)byte;
  }
  seq_offset = atoi(argv[2]);
  seq_digits = atoi(argv[3]);
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct pollfd inputs[2] = {{.fd = listen_anywhere(), .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
  while (poll(inputs, 2, -1) >= 0 || errno == EINTR) {
    take_clients(inputs[0].fd);
    if (inputs[1].revents & (POLLIN | POLLHUP)) {
      char line[256];
      int rooms, per_tick;
      double ms, gap_ms;
      if (!fgets(line, sizeof line, stdin)) return 0;
      if (sscanf(line, "ticks %d %d %lf %lf", &rooms, &per_tick, &ms, &gap_ms) == 4 && per_tick <= MAX_PER_TICK)
        run_ticks(rooms, per_tick, ms, gap_ms);
    }
  }
  return 1;
}
