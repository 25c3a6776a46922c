"""Campaigns: thousands of cases, drawn, judged and kept, on one machine or on many."""
