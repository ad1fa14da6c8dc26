"""What layers see and want: maps, filters, what excites a channel, what it asks for, and what shifts change."""
