package display

import "testing"

func TestRanges(t *testing.T) {
	for _, test := range []struct {
		partitions []int32
		want       string
	}{
		{nil, ""},
		{[]int32{3}, "3"},
		{[]int32{0, 1}, "0-1"},
		{[]int32{0, 1, 2, 3, 4, 5, 6, 7}, "0-7"},
		{[]int32{0, 2, 4}, "0,2,4"},
		{[]int32{0, 1, 3, 4, 5, 9}, "0-1,3-5,9"},
	} {
		if got := Ranges(test.partitions); got != test.want {
			t.Errorf("Ranges(%v) = %q, want %q", test.partitions, got, test.want)
		}
	}
}
