package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// With two members and a message each second, a tab needs no more memory after half an hour than after five minutes.
// Then the browser stops the tab for some time, as it may when nobody sees it. TKAFKA_MINUTES sets the time.
func TestHalfAnHour(t *testing.T) {
	minutes, _ := strconv.Atoi(os.Getenv("TKAFKA_MINUTES"))
	if minutes == 0 {
		t.Skip("TKAFKA_MINUTES is not set: this takes half an hour")
	}
	page := open(t, "", "")
	page.Wait(text("#connection"), "live")
	page.Click("#run [value=start]")
	page.Click("#run [value=start]")
	page.Matches(text("#headline"), "^2 members share 16 partitions")
	page.Eval(`document.forms.send.elements.program.value = 'consumergroup/producer'`)
	var early, pid, size int
	for second := range minutes * 60 {
		page.Click("#send [value='1']")
		if second%60 == 0 {
			pid, size = renderer()
			t.Logf("minute %d: the page has %s MB, and the tab %d MB: %s", second/60,
				page.Eval("performance.memory.usedJSHeapSize / 1e6"), size, page.Eval(text("#summary")))
		}
		if second == 300 {
			early = size
		}
		time.Sleep(time.Second)
	}
	page.Matches(text("#headline"), "^2 members share 16 partitions")
	if early > 0 && size > early*11/10 {
		t.Errorf("the tab had %d MB after five minutes, and %d MB at the end", early, size)
	}

	syscall.Kill(pid, syscall.SIGSTOP)
	time.Sleep(10 * time.Second)
	syscall.Kill(pid, syscall.SIGCONT)
	page.Matches(text("#note"), `The browser stopped this tab for \d+ seconds`)
	page.Matches(text("#headline"), "^2 members share 16 partitions")
	page.Click("#send [value='1']")
	page.Matches(text("#headline"), "everything is committed")
	t.Log(page.Eval(text("#events")))
}

// renderer returns the largest process of a tab of this test's browser, and its resident memory in MB.
func renderer() (largest, most int) {
	parents, sizes := map[int]int{}, map[int]int{}
	paths, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range paths {
		stat, _ := os.ReadFile(path)
		line, err := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[strings.LastIndex(string(stat), ")")+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parents[pid], _ = strconv.Atoi(fields[1])
		if strings.Contains(string(line), "--type=renderer") {
			pages, _ := strconv.Atoi(fields[21])
			sizes[pid] = pages * os.Getpagesize() / 1e6
		}
	}
	for pid, size := range sizes {
		for up := pid; up > 1; up = parents[up] {
			if up == os.Getpid() && size > most {
				largest, most = pid, size
			}
		}
	}
	return largest, most
}
