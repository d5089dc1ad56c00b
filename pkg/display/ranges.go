package display

import (
	"fmt"
	"strings"
)

// Ranges formats sorted partitions as 0-7,12.
func Ranges(partitions []int32) string {
	var text strings.Builder
	for i := 0; i < len(partitions); {
		end := i
		for end+1 < len(partitions) && partitions[end+1] == partitions[end]+1 {
			end++
		}
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprint(&text, partitions[i])
		if end > i {
			fmt.Fprintf(&text, "-%d", partitions[end])
		}
		i = end + 1
	}
	return text.String()
}
