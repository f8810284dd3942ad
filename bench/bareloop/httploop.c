/*-------------------------------------------------------------------------
 *
 * httploop.c
 *	  What libcurl can do alone: GET one URL again and again.
 *
 *	httploop URL REQUESTS IN_FLIGHT		prints requests per second
 *
 * The multi interface on an epoll set, connections kept, as many requests on the
 * wire as the last argument says; each answer's body is thrown away.
 *
 *-------------------------------------------------------------------------
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

static int	epoll;
static long timeout = -1;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int
socket_changed(CURL *easy, curl_socket_t s, int what, void *arg, void *known)
{
	struct epoll_event event = {0};

	event.data.fd = s;
	if (what == CURL_POLL_REMOVE)
		return epoll_ctl(epoll, EPOLL_CTL_DEL, s, &event), 0;
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(epoll, EPOLL_CTL_MOD, s, &event) != 0)
		epoll_ctl(epoll, EPOLL_CTL_ADD, s, &event);
	return 0;
}

static int
timer_changed(CURLM *multi, long ms, void *arg)
{
	timeout = ms;
	return 0;
}

static size_t
ignore(char *data, size_t size, size_t count, void *arg)
{
	return size * count;
}

int
main(int argc, char **argv)
{
	CURLM	   *multi;
	int			total;
	int			in_flight;
	int			started = 0;
	int			done = 0;
	int			failed = 0;
	int			running;
	double		begun;

	if (argc != 4)
		return 2;
	total = atoi(argv[2]);
	in_flight = atoi(argv[3]);
	curl_global_init(CURL_GLOBAL_ALL);
	epoll = epoll_create1(0);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timer_changed);
	begun = now();
	for (; started < in_flight && started < total; started++)
	{
		CURL	   *easy = curl_easy_init();

		curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
		curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
		curl_multi_add_handle(multi, easy);
	}
	while (done < total)
	{
		struct epoll_event events[128];
		CURLMsg    *message;
		int			left;
		int			n = epoll_wait(epoll, events, 128, (int) timeout);

		if (n == 0)
			curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
		for (int i = 0; i < n; i++)
			curl_multi_socket_action(multi, events[i].data.fd,
									 (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
									 (events[i].events & ~EPOLLOUT ? CURL_CSELECT_IN : 0),
									 &running);
		while ((message = curl_multi_info_read(multi, &left)) != NULL)
		{
			CURL	   *easy = message->easy_handle;

			failed += message->data.result != CURLE_OK;
			done++;
			curl_multi_remove_handle(multi, easy);
			if (started < total)
			{
				started++;
				curl_multi_add_handle(multi, easy);
			}
		}
	}
	printf("%.0f\n", total / (now() - begun));
	return failed > 0;
}
