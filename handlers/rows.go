package handlers

import (
	"slices"
	"strings"

	"kefu/views"
)

// sortRows puts rows in the order of the list and marks the one that the accept-next shortcut takes.
func sortRows(rows []views.RowProps) {
	slices.SortStableFunc(rows, func(a, b views.RowProps) int { return strings.Compare(a.Order, b.Order) })
	for i := range rows {
		if rows[i].Claim {
			rows[i].Next = true
			return
		}
	}
}
